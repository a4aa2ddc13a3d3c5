import KamuneTerminal
import Testing

@testable import KamuneCommand

@Suite("Rows on a terminal")
struct ScreenTests {
    @Test("what was printed does not run on into the next row, whatever the terminal takes it for")
    func drawn() {
        let screen = Screen(columns: 20, understandsControls: true)
        #expect(screen.drawn(["one", "two"]) == "\u{1B}[?7lone\ntwo\n\u{1B}[?7h")
        #expect(screen.layout.columns == 20)
        let plain = Screen(columns: 20, understandsControls: false)
        #expect(plain.drawn(["one", "two"]) == "one\ntwo\n")
        #expect(plain.layout.columns == 19)
    }

    @Test("a name is as wide as a name may be, whatever it counts in characters")
    func names() {
        for name in [String(repeating: "\u{1100}", count: 20_000), String(repeating: "日", count: 500)] {
            let shown = TerminalText(name, maximumColumns: TextLimit.name)
            #expect(shown.columns <= 64)
            #expect(shown.content.utf8.count < 300)
        }
    }
}
