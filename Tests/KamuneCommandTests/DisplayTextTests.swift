import Testing

@testable import KamuneCommand

@Suite("Text from elsewhere")
struct DisplayTextTests {
    @Test(
        "what steers, hides, reorders or piles up is taken out",
        arguments: [
            ("hello", "hello"), ("größe 日本 한국 🔒", "größe 日本 한국 🔒"),
            ("a\u{1B}[31mb", "a\u{FFFD}[31mb"), ("a\u{07}\u{00}\u{7F}b", "a\u{FFFD}\u{FFFD}\u{FFFD}b"),
            ("a\u{9B}2Jb", "a\u{FFFD}2Jb"), ("a\u{9D}0;t\u{9C}b", "a\u{FFFD}0;t\u{FFFD}b"),
            ("a\nb", "a b"), ("a\r\nb", "a b"), ("a\rb", "a b"), ("a\tb", "a b"), ("a\u{0B}\u{0C}b", "a  b"),
            ("a\u{85}b\u{2028}c\u{2029}d", "a b c d"), ("a\u{A0}b\u{3000}c\u{2003}d", "a b c d"),
            ("a\u{202E}b", "a\u{FFFD}b"),
            ("a\u{2066}b\u{2069}c\u{200F}d\u{061C}e", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e"),
            ("a\u{200B}\u{FEFF}\u{2060}\u{AD}b", "ab"), ("a\u{E0041}\u{E007F}b", "ab"), ("a\u{180E}b", "ab"),
            ("a\u{115F}b\u{3164}c\u{2800}d", "a b c d"), ("a\u{034F}b", "ab"),
            ("a\u{E000}b\u{10FFFF}c", "a\u{FFFD}b\u{FFFD}c"),
            ("e\u{301}", "e\u{301}"), ("\u{301}e", "\u{25CC}\u{301}e"), ("a \u{301}", "a  ".dropLast() + "\u{301}"),
            ("👩\u{200D}🚀", "👩\u{200D}🚀"), ("❤\u{FE0F}", "❤\u{FE0F}"), ("a\u{FE0F}b", "ab"), ("a\u{200D}b", "ab"),
            ("🚀\u{200D}", "🚀"), ("می\u{200C}خواهم", "می\u{200C}خواهم"), ("1\u{FE0F}\u{20E3}", "1\u{FE0F}\u{20E3}"),
            ("नमस्ते", "नमस्ते"),
        ])
    func cleaned(text: String, expected: String) {
        #expect(Array(DisplayText(text).description.unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test("marks do not pile up")
    func marks() {
        let tower = "Z" + String(repeating: "\u{301}\u{316}", count: 500) + "x"
        #expect(DisplayText(tower).description.unicodeScalars.count == 6)
    }

    @Test("variation selectors and joiners do not pile up")
    func joiners() {
        for pile in ["🚀" + String(repeating: "\u{FE0F}", count: 500), "🚀" + String(repeating: "\u{200D}", count: 500)] {
            #expect(DisplayText(pile).description.unicodeScalars.count <= 2)
        }
    }

    @Test("long text is cut")
    func cut() {
        #expect(DisplayText("abcdef", maximumLength: 6).description == "abcdef")
        #expect(DisplayText("abcdefg", maximumLength: 6).description == "abcde…")
    }

    @Test("every scalar, alone and after a letter, becomes something that cannot steer a terminal")
    func everything() {
        // The planes between hold nothing, or nothing but ideographs and private characters.
        for value in Array(UInt32(0)...0x1_ffff) + Array(0xe_0000...0xe_0fff) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for scalar in DisplayText("a\(scalar)").description.unicodeScalars {
                guard !scalar.properties.isBidiControl else {
                    Issue.record("U+\(String(value, radix: 16)) keeps a control of direction")
                    continue
                }
                if [.control, .lineSeparator, .paragraphSeparator, .surrogate].contains(
                    scalar.properties.generalCategory)
                {
                    Issue.record("U+\(String(value, radix: 16)) keeps a control character")
                }
            }
        }
    }

    @Test("long messages are broken at spaces, and what follows is indented")
    func wrapping() {
        #expect(LineWrapper.rows(of: "short", firstColumn: 10, columns: 40) == ["short"])
        #expect(
            LineWrapper.rows(of: "one two three four", firstColumn: 10, columns: 20)
                == ["one two ", "    three four"])
        #expect(
            LineWrapper.rows(of: String(repeating: "x", count: 40), firstColumn: 10, columns: 20).map(\.count)
                == [10, 20, 18])
        #expect(LineWrapper.rows(of: "", firstColumn: 10, columns: 20) == [""])
        for columns in [0, 1, 5, 12, 13, 80] {
            let rows = LineWrapper.rows(
                of: "日本語 and \(String(repeating: "long ", count: 50))", firstColumn: 3, columns: columns)
            #expect(rows.dropFirst().allSatisfy { $0.hasPrefix("    ") })
            #expect(rows.allSatisfy { TextWidth.of($0) <= max(columns, 12) })
        }
    }
}
