import Testing

@testable import KamuneCommand

@Suite("The line editor")
struct LineEditorTests {
    /// Types text, with ‹ and › for the cursor keys, and so on.
    private static func keys(_ script: String) -> [Key] {
        script.unicodeScalars.map { scalar in
            switch scalar {
            case "‹": .left
            case "›": .right
            case "«": .wordLeft
            case "»": .wordRight
            case "↑": .older
            case "↓": .newer
            case "⌫": .backspace
            case "⌦": .delete
            case "⏎": .enter
            case "⇤": .lineStart
            case "⇥": .lineEnd
            case "✂": .deleteWord
            case "⊣": .deleteToEnd
            case "⊢": .deleteToStart
            case "⎘": .insertDeleted
            case "⊥": .endOfInput
            default: .scalar(scalar)
            }
        }
    }

    @Test(
        "keys edit the line",
        arguments: [
            ("abc", "abc|"), ("abc‹", "ab|c"), ("abc‹x", "abx|c"), ("abc⇤x", "x|abc"), ("abc⇤x⇥y", "xabcy|"),
            ("abc⌫", "ab|"), ("⌫", "|"), ("abc‹⌫", "a|c"), ("abc‹⌦", "ab|"), ("abc⌦", "abc|"), ("abc‹⊥", "ab|"),
            ("one two  ✂", "one |"), ("one two«x", "one x|two"), ("one two⇤»x", "onex| two"), ("one two«✂", "|two"),
            ("abcd‹‹⊣", "ab|"), ("abcd‹‹⊢", "|cd"), ("abcd‹‹⊣⇤⎘", "cd|ab"), ("one two✂⎘⎘", "one twotwo|"),
            ("‹›", "|"), ("größe‹‹", "grö|ße"),
            ("e\u{301}x‹‹", "|e\u{301}x"), ("e\u{301}⌫", "|"), ("👩\u{200D}🚀a‹⌫", "|a"), ("🇩🇪⌫", "|"),
        ])
    func editing(script: String, expected: String) {
        var editor = LineEditor(maximumSize: 1_000)
        for key in Self.keys(script) { _ = editor.handle(key) }
        #expect(String(editor.before) + "|" + String(editor.after) == expected)
        #expect(editor.text == expected.replacing("|", with: ""))
    }

    @Test("Enter gives the line away, and Ctrl-D ends on an empty one only")
    func submitting() {
        var editor = LineEditor(maximumSize: 1_000)
        var actions = Self.keys("ab⏎⏎⊥c⊥").map { editor.handle($0) }
        #expect(
            actions == [.changed, .changed, .submit("ab"), .submit(""), .endOfInput, .changed, .refused])
        actions = Self.keys("⏎").map { editor.handle($0) }
        #expect(actions == [.submit("c")])
    }

    @Test(
        "the arrow keys bring back earlier lines, and the draft",
        arguments: [
            ("one⏎two⏎↑", "two"), ("one⏎two⏎↑↑", "one"), ("one⏎two⏎↑↑↑", "one"), ("one⏎two⏎↑↑↓", "two"),
            ("one⏎two⏎dra↑↑↓↓", "dra"), ("one⏎↓", ""), ("↑", ""), ("one⏎one⏎two⏎↑↑↑", "one"), ("one⏎↑x⏎↑↑", "one"),
            ("⏎one⏎⏎↑", "one"),
        ])
    func history(script: String, expected: String) {
        var editor = LineEditor(maximumSize: 1_000)
        for key in Self.keys(script) { _ = editor.handle(key) }
        #expect(editor.text == expected)
    }

    @Test("the history forgets the oldest of many lines")
    func boundedHistory() {
        var history = LineHistory()
        for index in 0..<10_000 { history.add("\(index)") }
        var count = 0
        while history.older(than: "") != nil { count += 1 }
        #expect(count == 200)
    }

    @Test("a line is never larger than one message")
    func limit() {
        var editor = LineEditor(maximumSize: 4)
        #expect(Self.keys("aé").map { editor.handle($0) } == [.changed, .changed])
        #expect(editor.handle(.scalar("é")) == .refused)
        #expect(editor.handle(.scalar("b")) == .changed)
        #expect(editor.handle(.scalar("c")) == .refused)
        #expect(editor.handle(.backspace) == .changed)
        #expect(editor.handle(.scalar("c")) == .changed)
        #expect(editor.handle(.deleteToStart) == .changed)
        #expect(editor.handle(.insertDeleted) == .changed)
        #expect(editor.handle(.insertDeleted) == .refused)
        #expect(editor.text == "aéc")
    }

    @Test(
        "the row shows what is around the cursor, and the cursor stands where it should",
        arguments: [
            ("", 20, "> ", 2), ("abc", 20, "> abc", 5), ("abc‹‹", 20, "> abc", 3), ("日本‹", 20, "> 日本", 4),
            ("🔒x", 20, "> 🔒x", 5), ("e\u{301}x", 20, "> e\u{301}x", 4),
            // Eleven columns: two for the prompt, eight for text, one left free.
            ("12345678", 11, "> 12345678", 10), ("123456789", 11, "> 56789", 7), ("12345678901234", 11, "> 901234", 8),
            ("12345678901234⇤", 11, "> 12345678", 2), ("1234567日⇤", 11, "> 1234567", 2), ("abc", 1, "> c", 3),
        ])
    func view(script: String, columns: Int, text: String, cursor: Int) {
        var editor = LineEditor(maximumSize: 1_000)
        for key in Self.keys(script) { _ = editor.handle(key) }
        let view = PromptView(prompt: "> ", editor: editor, columns: columns)
        #expect(view.text == text)
        #expect(view.cursorColumn == cursor)
    }

    @Test(
        "a note stands at the right as long as the typed text leaves room",
        arguments: [("", 20, 10), ("abcdef", 20, 10), ("abcdefg", 20, nil), ("", 11, nil), ("", 1, nil)])
    func note(script: String, columns: Int, column: Int?) {
        var editor = LineEditor(maximumSize: 1_000)
        for key in Self.keys(script) { _ = editor.handle(key) }
        let view = PromptView(prompt: "> ", editor: editor, note: "delivered", columns: columns)
        #expect(view.noteColumn == column)
        #expect(PromptView(prompt: "> ", editor: editor, columns: columns).noteColumn == nil)
    }

    @Test("the row never exceeds the terminal, whatever is typed", arguments: [4, 5, 10, 11, 40, 80])
    func widths(columns: Int) {
        var editor = LineEditor(maximumSize: 1_000)
        for (index, key) in Self.keys(String(repeating: "a日e\u{301}🔒", count: 20) + "⇤»›››").enumerated() {
            _ = editor.handle(key)
            let view = PromptView(prompt: "> ", editor: editor, columns: columns)
            #expect(TextWidth.of(view.text) < columns, "after \(index) keys")
            #expect(view.cursorColumn < columns)
        }
    }

    @Test(
        "characters take as many columns as terminals give them",
        arguments: [
            ("a", 1), ("é", 1), ("e\u{301}", 1), ("日", 2), ("한", 2), ("ｱ", 1), ("Ａ", 2), ("🔒", 2), ("❤\u{FE0F}", 2),
            ("👩\u{200D}🚀", 2), ("🇩🇪", 2), ("\u{200B}", 0), ("\u{7}", 0), ("…", 1), ("⏰", 2),
        ])
    func characterWidths(text: String, columns: Int) {
        #expect(TextWidth.of(text) == columns)
    }
}
