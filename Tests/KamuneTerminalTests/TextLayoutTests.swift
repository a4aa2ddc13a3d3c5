import KamuneTestSupport
import Testing

@testable import KamuneTerminal

@Suite("Text in rows")
struct TextLayoutTests {
    private static func rows(_ text: String, _ columns: Int, first: Int = 0, mark: String = "    ") -> [String] {
        TextLayout(columns: columns, mark: mark).rows(of: TerminalText.lines(of: text), firstColumn: first)
    }

    @Test(
        "text is broken between words, and what follows is marked",
        arguments: [
            ("short", 40, 10, ["short"]), ("", 40, 10, [""]),
            ("one two three four", 20, 10, ["one two", "    three four"]),
            ("one  two ", 20, 0, ["one  two "]),
            (String(repeating: "x", count: 40), 20, 10, ["xxxxxxxxxx", "    xxxxxxxxxxxxxxxx", "    xxxxxxxxxxxxxx"]),
            ("a\nb", 20, 10, ["a", "    b"]), ("\n", 20, 10, ["", "    "]),
            ("日本語日本語日本語", 20, 16, ["日本", "    語日本語日本語"]),
            ("日本語。日", 20, 14, ["日本", "    語。日"]), ("「日", 20, 18, ["", "    「日"]),
            ("well-known words", 20, 14, ["well-", "    known words"]), ("a -5 b", 20, 17, ["a", "    -5 b"]),
            ("1 2 3 4", 4, 0, ["1 2", " 3 4"]), ("ab", 2, 0, ["ab"]), ("abc", 2, 0, ["ab", " c"]),
            ("日本", 2, 0, ["\u{FFFD}", " \u{FFFD}"]),
            ("x y", 20, 25, ["", "    x y"]),
        ])
    func wrapping(text: String, columns: Int, first: Int, expected: [String]) {
        #expect(Self.rows(text, columns, first: first) == expected)
    }

    @Test("links stay whole where a row has room for them, and begin a row where none has")
    func links() {
        let link = "https://example.org/a-long-way/to/somewhere"
        #expect(Self.rows("see \(link) there", 60, first: 30) == ["see", "    \(link) there"])
        let rows = Self.rows("see \(link)", 30, first: 10)
        #expect(rows == ["see", "    https://example.org/a-long", "    -way/to/somewhere"])
        #expect(Self.rows("(kamune:abc-def)", 20, first: 12) == ["", "    (kamune:abc-def)"])
    }

    @Test("text from right to left is isolated in each row")
    func rightToLeft() {
        #expect(
            Self.rows("שלום עולם", 12, first: 6) == ["\u{2068}שלום\u{2069}", "   \u{2068}עולם\u{2069}"])
    }

    /// The message of the report: at 80 columns its end stood at column 0, as if somebody else had said it.
    @Test("a peer cannot forge a line, by letters that are wider than they seem", arguments: 2...130)
    func forgedByWidth(columns: Int) {
        for (unit, end) in [
            ("\u{E19}\u{E33}", ".21:50 auser: yes"), ("\u{1100}", "21:50 auser: yes"), ("क्षि", "21:50 x: y"),
        ] {
            for count in 28...36 {
                let message = String(repeating: unit, count: count) + end
                let rows = Self.rows(message, columns, first: 11)
                #expect(rows.dropFirst().allSatisfy { $0.hasPrefix(" ") })
                #expect(rows.dropFirst().allSatisfy { TextWidth.of($0) <= columns })
            }
        }
    }

    /// The other one: no trick, only a message of the right length.
    @Test("a peer cannot forge a line, by the length of a message", arguments: [2, 3, 5, 8, 20, 40, 79, 80, 81, 200])
    func forgedByLength(columns: Int) {
        for length in 0...(2 * columns) {
            for space in ["", " "] {
                let message = String(repeating: "x", count: length) + space + "21:50 auser: yes"
                let rows = Self.rows(message, columns, first: min(columns, 12), mark: "  │ ")
                #expect(rows.dropFirst().allSatisfy { $0.hasPrefix(" ") })
            }
        }
    }

    @Test("no row is wider than the terminal, and nothing is lost, at any width")
    func random() {
        var random = SeededRandom(9)
        let words = [
            "a", "word", "日本語", "👩\u{200D}🚀", "e\u{301}", "\u{1100}\u{1100}\u{1100}\u{1100}", "नमस्ते", "https://x.org/y",
            "-", "ab-cd",
        ]
        for _ in 0..<2_000 {
            let columns = Int.random(in: 2...60, using: &random)
            let first = Int.random(in: 0...columns, using: &random)
            let text = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                words[Int.random(in: 0..<words.count, using: &random)]
                    + (Bool.random(using: &random) ? " " : "")
            }.joined()
            let layout = TextLayout(columns: columns)
            let rows = layout.rows(of: TerminalText(text), firstColumn: first)
            #expect(TextWidth.of(rows[0]) <= columns - first || columns - first < 1)
            #expect(rows.dropFirst().allSatisfy { TextWidth.of($0) <= columns && $0.hasPrefix(layout.mark) })
            // Where every cluster has room, all of them are there, in their order; spaces may be where a row ends.
            guard columns - TextWidth.of(layout.mark) >= 4 else { continue }
            let drawn = rows.enumerated().map {
                $0.offset == 0 ? $0.element : String($0.element.dropFirst(layout.mark.count))
            }
            #expect(drawn.joined().filter { $0 != " " } == TerminalText(text).content.filter { $0 != " " })
        }
    }

    @Test("a message of the largest size is laid out in time that grows with it alone", .timeLimit(.minutes(1)))
    func large() {
        for unit in ["x", "x ", " ", "\u{1100}", "日", "-a", "\t", "👩\u{200D}"] {
            let text = String(repeating: unit, count: 61_000 / unit.utf8.count)
            let rows = Self.rows(text, 80)
            #expect(rows.allSatisfy { TextWidth.of($0) <= 80 })
        }
    }
}
