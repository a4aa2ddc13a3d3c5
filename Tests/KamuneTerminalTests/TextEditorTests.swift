import KamuneTestSupport
import Testing

@testable import KamuneTerminal

@Suite("The editor")
struct TextEditorTests {
    /// Types text, with signs for keys.
    private static func type(_ script: String, into editor: inout TextEditor) {
        for scalar in script.unicodeScalars {
            let command: TextEditor.Command =
                switch scalar {
                case "‹": .moveLeft
                case "›": .moveRight
                case "«": .moveWordLeft
                case "»": .moveWordRight
                case "↑": .moveUp
                case "↓": .moveDown
                case "⌫": .deleteBackward
                case "⌦": .deleteForward
                case "⇤": .moveToLineStart
                case "⇥": .moveToLineEnd
                case "⇱": .moveToStart
                case "⇲": .moveToEnd
                case "✂": .deleteWordBackward
                case "✁": .deleteWordForward
                case "⊣": .deleteToLineEnd
                case "⊢": .deleteToLineStart
                case "⎘": .insertDeleted
                case "↶": .undo
                case "↷": .redo
                default: .insert(String(scalar))
                }
            if scalar == "⏎" { _ = editor.submit() } else { _ = editor.perform(command) }
        }
    }

    private static func typed(_ script: String) -> String {
        var editor = TextEditor(maximumSize: 1_000)
        type(script, into: &editor)
        let (before, after) = editor.parts
        #expect(editor.text == before + after)
        return before + "|" + after
    }

    @Test(
        "keys edit the text",
        arguments: [
            ("abc", "abc|"), ("abc‹", "ab|c"), ("abc‹x", "abx|c"), ("abc⇤x", "x|abc"), ("abc⇤x⇥y", "xabcy|"),
            ("abc⌫", "ab|"), ("⌫", "|"), ("abc‹⌫", "a|c"), ("abc‹⌦", "ab|"), ("abc⌦", "abc|"),
            ("one two  ✂", "one |"), ("one two«x", "one x|two"), ("one two⇤»x", "onex| two"), ("one two«✂", "|two"),
            ("one two⇤✁", "| two"), ("abcd‹‹⊣", "ab|"), ("abcd‹‹⊢", "|cd"), ("abcd‹‹⊣⇤⎘", "cd|ab"),
            ("one two✂⎘⎘", "one twotwo|"), ("‹›", "|"), ("größe‹‹", "grö|ße"),
        ])
    func editing(script: String, expected: String) {
        #expect(Self.typed(script) == expected)
    }

    @Test(
        "the cursor stands between clusters, whatever they are made of",
        arguments: [
            ("e\u{301}x‹‹", "|e\u{301}x"), ("e\u{301}⌫", "|"), ("👩\u{200D}🚀a‹⌫", "|a"), ("🇩🇪⌫", "|"),
            ("🇩🇪🇫🇷‹⌫", "|🇫🇷"), ("👍🏽⌫", "|"), ("x‹\u{301}", "\u{301}|x"), ("🚀‹👩\u{200D}", "👩\u{200D}🚀|"),
            ("🚀x‹‹👩\u{200D}", "👩\u{200D}🚀|x"), ("\u{1100}\u{1161}⌫", "|"),
        ])
    func clusters(script: String, expected: String) {
        #expect(Self.typed(script) == expected)
    }

    @Test(
        "lines are moved in, up and down, and beyond them to what was typed before",
        arguments: [
            ("abc\nde↑", "ab|c\nde"), ("abc\nde↑↓", "abc\nde|"), ("a\nbcd↑", "a|\nbcd"), ("a\nbcd↑↓", "a\nbcd|"),
            ("abc\n\ndef↑↑", "abc|\n\ndef"), ("abc\nde⇤x", "abc\nx|de"), ("abc\nde⇱x", "x|abc\nde"),
            ("abc\nde⇤⊢", "abc|de"), ("abc\nde⇱⇥⊣", "abc|de"), ("abc\nde⇱⇲x", "abc\ndex|"), ("abc\nde⊢", "abc\n|"),
            ("old⏎ab\ncd↑↑", "old|"), ("old⏎ab\ncd↑↑↓", "ab\ncd|"),
        ])
    func lines(script: String, expected: String) {
        #expect(Self.typed(script) == expected)
    }

    @Test(
        "what was done is undone, a word at a time, and done again",
        arguments: [
            ("one two↶", "one |"), ("one two↶↶", "|"), ("one two↶↶↶", "|"), ("one two↶↷", "one two|"),
            ("one two↶↶↷", "one |"), ("one⌫⌫↶", "one|"), ("one two✂↶", "one two|"), ("ab‹‹x↶", "|ab"),
            ("ab‹x‹‹y↶↶", "a|b"), ("one↶x↷", "x|"), ("abc‹⌦↶", "ab|c"), ("abc⇤⌦⌦↶", "|abc"), ("e\u{301}↶", "|"),
            ("x e\u{301}a↶", "x |"), ("👩\u{200D}🚀↶↷", "👩\u{200D}🚀|"), ("old⏎new↑↶", "new|"), ("abc⊢↶↷↶", "abc|"),
        ])
    func undoing(script: String, expected: String) {
        #expect(Self.typed(script) == expected)
    }

    @Test(
        "the arrow keys bring back earlier texts, and the draft",
        arguments: [
            ("one⏎two⏎↑", "two|"), ("one⏎two⏎↑↑", "one|"), ("one⏎two⏎↑↑↑", "one|"), ("one⏎two⏎↑↑↓", "two|"),
            ("one⏎two⏎dra↑↑↓↓", "dra|"), ("one⏎↓", "|"), ("↑", "|"), ("one⏎one⏎two⏎↑↑↑", "one|"),
            ("one⏎↑x⏎↑↑", "one|"), ("⏎one⏎⏎↑", "one|"),
        ])
    func history(script: String, expected: String) {
        #expect(Self.typed(script) == expected)
    }

    @Test("the history forgets the oldest of many lines")
    func boundedHistory() {
        var history = LineHistory()
        for index in 0..<10_000 { history.add("\(index)") }
        var count = 0
        while history.older(than: "") != nil { count += 1 }
        #expect(count == 200)
    }

    @Test("undoing forgets the oldest of many steps")
    func boundedUndo() {
        var editor = TextEditor(maximumSize: 1 << 20)
        for _ in 0..<1_000 {
            _ = editor.perform(.insert("a ")); _ = editor.perform(.moveLeft); _ = editor.perform(.moveRight)
        }
        var count = 0
        while editor.perform(.undo) { count += 1 }
        #expect(count == 200)
        for _ in 0..<10 { _ = editor.perform(.insert(String(repeating: "x", count: 60_000))) }
        count = 0
        while editor.perform(.undo) { count += 1 }
        #expect(count == 3)
    }

    @Test("a text is never larger than one message")
    func limit() {
        var editor = TextEditor(maximumSize: 4)
        let commands: [(TextEditor.Command, Bool)] = [
            (.insert("a"), true), (.insert("é"), true), (.insert("é"), false), (.insert("b"), true),
            (.insert("c"), false),
            (.deleteBackward, true), (.insert("c"), true), (.deleteToLineStart, true), (.insertDeleted, true),
            (.insertDeleted, false),
        ]
        for (command, isDone) in commands { #expect(editor.perform(command) == isDone) }
        #expect(editor.text == "aéc" && editor.room == 0)
        editor.clear()
        #expect(editor.isEmpty && editor.room == 4)
        #expect(editor.perform(.undo) == false)
    }

    @Test("whatever is done, the text is what a plain string would be, undone to nothing and done again")
    func model() {
        var random = SeededRandom(21)
        let scalars: [String] = [
            "a", "b", " ", "\n", "é", "日", "\u{301}", "\u{200D}", "👩", "🚀", "🏽", "\u{1100}", "क", "\u{94D}",
        ]
        let commands: [TextEditor.Command] = [
            .deleteBackward, .deleteForward, .deleteWordBackward, .deleteWordForward, .deleteToLineStart,
            .deleteToLineEnd,
            .insertDeleted, .moveLeft, .moveRight, .moveWordLeft, .moveWordRight, .moveToLineStart, .moveToLineEnd,
            .moveToStart, .moveToEnd, .moveUp, .moveDown,
        ]
        for _ in 0..<300 {
            var editor = TextEditor(maximumSize: 400)
            var texts = [""]
            for _ in 0..<60 {
                let (before, after) = editor.parts
                if Bool.random(using: &random) {
                    let typed = scalars[Int.random(in: 0..<scalars.count, using: &random)]
                    let isTaken = editor.perform(.insert(typed))
                    #expect(editor.text == (isTaken ? before + typed + after : before + after))
                } else {
                    let command = commands[Int.random(in: 0..<commands.count, using: &random)]
                    _ = editor.perform(command)
                    // Moving changes nothing, and deleting takes from one side.
                    let text = editor.text
                    #expect(text.isEmpty || (before + after).utf8.count >= text.utf8.count || command == .insertDeleted)
                }
                let edited = editor.edited
                #expect(edited.size == editor.text.utf8.count && edited.size <= 400)
                #expect(edited.columnsBefore == edited.before.reduce(0) { $0 + EditorGlyph.columns(of: $1) })
                if texts.last != editor.text { texts.append(editor.text) }
            }
            let end = editor.text
            var steps = 0
            while editor.perform(.undo) {
                steps += 1
                #expect(texts.contains(editor.text))
            }
            #expect(editor.isEmpty)
            for _ in 0..<steps { #expect(editor.perform(.redo) == true) }
            #expect(editor.text == end)
            #expect(editor.perform(.redo) == false)
        }
    }

    // MARK: Keys

    @Test("keys do what they do elsewhere")
    func bindings() {
        #expect(EditorAction(Key(.enter)) == .submit)
        #expect(EditorAction(.control("j")) == .submit)
        #expect(EditorAction(Key(.enter, .alt)) == .edit(.insert("\n")))
        #expect(EditorAction(Key(.enter, .shift)) == .edit(.insert("\n")))
        #expect(EditorAction(.control("d")) == .endOfInput)
        #expect(EditorAction(.control("l")) == .redraw)
        #expect(EditorAction(.control("w")) == .edit(.deleteWordBackward))
        #expect(EditorAction(Key(.backspace, .alt)) == .edit(.deleteWordBackward))
        #expect(EditorAction(Key(.right, .control)) == .edit(.moveWordRight))
        #expect(EditorAction(.alt("b")) == .edit(.moveWordLeft))
        #expect(EditorAction(Key(.up)) == .edit(.moveUp))
        #expect(EditorAction(.control("_")) == .edit(.undo))
        for key in [Key(.tab), Key(.escape), Key(.function(1)), Key(.pageUp), .control("x"), .alt("1"), .alt("O")] {
            #expect(EditorAction(key) == nil)
        }
    }

    // MARK: The row

    private static func row(_ script: String, columns: Int, note: String = "") -> EditorRow {
        var editor = TextEditor(maximumSize: 1_000)
        type(script, into: &editor)
        return EditorRow(prompt: "> ", editor: editor, note: note, columns: columns)
    }

    @Test(
        "the row shows what is around the cursor, and the cursor stands where it should",
        arguments: [
            ("", 20, "> ", 2), ("abc", 20, "> abc", 5), ("abc‹‹", 20, "> abc", 3), ("日本‹", 20, "> 日本", 4),
            ("🔒x", 20, "> 🔒x", 5), ("e\u{301}x", 20, "> e\u{301}x", 4), ("\u{E19}\u{E33}x", 20, "> \u{E19}\u{E33}x", 5),
            // Eleven columns: two for the prompt, eight for text, one left free.
            ("12345678", 11, "> 12345678", 10), ("123456789", 11, "> 56789", 7), ("12345678901234", 11, "> 901234", 8),
            ("12345678901234⇤", 11, "> 12345678", 2), ("1234567日⇤", 11, "> 1234567", 2), ("abc", 1, "> c", 3),
            // What is typed can steer nothing either.
            ("a\nb", 20, "> a⏎b", 5), ("a\u{9B}b\u{202E}c", 20, "> a\u{FFFD}b\u{FFFD}c", 7), ("a\tb", 20, "> a b", 5),
            ("ש", 20, "> \u{2068}ש\u{2069}", 3),
        ])
    func row(script: String, columns: Int, text: String, cursor: Int) {
        let row = Self.row(script, columns: columns)
        #expect(row.text == text)
        #expect(row.cursorColumn == cursor)
    }

    @Test(
        "a note stands at the right as long as the typed text leaves room",
        arguments: [("", 20, 10), ("abcdef", 20, 10), ("abcdefg", 20, nil), ("", 11, nil), ("", 1, nil)])
    func note(script: String, columns: Int, column: Int?) {
        #expect(Self.row(script, columns: columns, note: "delivered").noteColumn == column)
        #expect(Self.row(script, columns: columns).noteColumn == nil)
    }

    @Test("the row never exceeds the terminal, whatever is typed", arguments: [4, 5, 10, 11, 40, 80])
    func widths(columns: Int) {
        var editor = TextEditor(maximumSize: 1_000)
        for key in String(repeating: "a日e\u{301}🔒\u{E19}\u{E33}", count: 16) + "⇤»›››" {
            Self.type(String(key), into: &editor)
            let row = EditorRow(prompt: "> ", editor: editor, columns: columns)
            #expect(TextWidth.of(row.text) < columns)
            #expect(row.cursorColumn < columns)
        }
    }

    @Test("a key costs the same in a text of any length", .timeLimit(.minutes(1)))
    func cost() {
        var editor = TextEditor(maximumSize: 61_435)
        #expect(editor.perform(.insert(String(repeating: "word ", count: 12_000))) == true)
        // What took the time of the whole text for each would need hours.
        for _ in 0..<1_000 {
            _ = editor.perform(.moveLeft)
            _ = editor.perform(.insert("x"))
            _ = editor.perform(.deleteBackward)
            _ = EditorRow(prompt: "> ", editor: editor, columns: 80)
        }
        #expect(editor.text.utf8.count == 60_000)
    }
}
