import KamuneTestSupport
import Testing

@testable import KamuneTerminal

@Suite("Text from elsewhere")
struct TerminalTextTests {
    @Test(
        "what steers, hides, reorders or piles up is taken out",
        arguments: [
            ("hello", "hello"), ("größe 日本 한국 🔒", "größe 日本 한국 🔒"),
            ("a\u{1B}[31mb", "a\u{FFFD}[31mb"), ("a\u{07}\u{00}\u{7F}b", "a\u{FFFD}\u{FFFD}\u{FFFD}b"),
            ("a\u{9B}2Jb", "a\u{FFFD}2Jb"), ("a\u{9D}0;t\u{9C}b", "a\u{FFFD}0;t\u{FFFD}b"),
            ("a\nb", "a b"), ("a\r\nb", "a b"), ("a\rb", "a b"), ("a\tb", "a b"), ("a\u{0B}\u{0C}b", "a  b"),
            ("a\u{85}b\u{2028}c\u{2029}d", "a b c d"), ("a\u{A0}b\u{3000}c\u{2003}d", "a\u{A0}b\u{3000}c d"),
            ("a\u{202E}b\u{202D}c", "a\u{FFFD}b\u{FFFD}c"), ("a\u{202A}b\u{202B}c\u{202C}d", "abcd"),
            ("a\u{2066}b\u{2067}c\u{2068}d\u{2069}e\u{200F}f\u{061C}g\u{200E}h", "abcdefgh"),
            ("a\u{200B}\u{FEFF}\u{2060}\u{AD}b", "ab"), ("a\u{E0041}\u{E007F}b", "ab"), ("a\u{180E}b", "ab"),
            ("a\u{115F}b\u{3164}c\u{2800}d\u{1160}e\u{FFA0}f", "a b c d e f"), ("a\u{034F}b", "ab"),
            ("a\u{E000}b\u{10FFFD}c\u{10FFFF}d\u{0378}e", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e"),
            ("e\u{301}", "e\u{301}"), ("\u{301}e", "\u{25CC}\u{301}e"), ("a \u{301}", "a \u{301}"),
            ("👩\u{200D}🚀", "👩\u{200D}🚀"), ("❤\u{FE0F}", "❤\u{FE0F}"), ("a\u{FE0F}b", "ab"), ("a\u{200D}b", "ab"),
            ("🚀\u{200D}", "🚀"), ("1\u{FE0F}\u{20E3}", "1\u{FE0F}\u{20E3}"), ("नमस्ते", "नमस्ते"),
            ("\u{E19}\u{E33}", "\u{E19}\u{E33}"), ("👍🏽🏽🏽", "👍🏽"), ("🏽a🏽", "\u{FFFD}a\u{FFFD}"),
            ("\u{E33}", "\u{25CC}\u{E33}"), ("🇩🇪", "🇩🇪"),
            // The flags of Scotland and of nowhere.
            (
                "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
                "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}"
            ),
            ("🏴\u{E0067}\u{E0062}\u{E0073}x\u{E007F}", "🏴x"), ("🏴" + String(repeating: "\u{E0061}", count: 99), "🏴"),
        ])
    func cleaned(text: String, expected: String) {
        #expect(Array(TerminalText(text).description.unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test(
        "text from right to left keeps its marks, and ends with itself",
        arguments: [
            ("שלום", "שלום"), ("שלום\u{200F}!", "שלום\u{200F}!"), ("a\u{200E}ב", "a\u{200E}ב"),
            ("ب\u{061C}1", "ب\u{061C}1"), ("می\u{200C}خواهم", "می\u{200C}خواهم"),
            ("ש\u{200F}\u{200F}\u{200F}", "ש\u{200F}"), ("\u{202E}ש\u{2067}ל", "\u{FFFD}של"),
        ])
    func rightToLeft(text: String, expected: String) {
        let cleaned = TerminalText(text)
        #expect(cleaned.hasRightToLeft)
        #expect(Array(cleaned.content.unicodeScalars) == Array(expected.unicodeScalars))
        #expect(cleaned.description == "\u{2068}\(cleaned.content)\u{2069}")
    }

    @Test("nothing piles up: marks, selectors, joiners, tags, colours, whatever their number")
    func piles() {
        let piles: [(base: String, pile: String, most: Int)] = [
            ("Z", "\u{301}\u{316}", 5), ("🚀", "\u{FE0F}", 2), ("🚀", "\u{200D}", 2), ("👍", "🏽", 2),
            ("🏴", "\u{E0061}", 1),
            ("ש", "\u{200F}", 2), ("ش", "\u{64B}\u{64C}", 5), ("a", "\u{200B}\u{2060}\u{FEFF}", 1),
            ("한", "\u{11A8}", 5), ("\u{E19}", "\u{E33}", 5), ("ｶ", "ﾞ", 5),
        ]
        for (base, pile, most) in piles {
            let text = TerminalText(base + String(repeating: pile, count: 500))
            #expect(text.content.unicodeScalars.count <= most, "\(base)")
        }
        // Each emoji has to stand by itself some time.
        let family = TerminalText(String(repeating: "👩\u{200D}", count: 500))
        #expect(TextWidth.of(family.content) > 100)
    }

    @Test("a name has room for so many columns, and no code point is a way around it")
    func cut() {
        #expect(TerminalText("abcdef", maximumColumns: 6).content == "abcdef")
        #expect(TerminalText("abcdefg", maximumColumns: 6).content == "abcde…")
        #expect(TerminalText("日本語日本語", maximumColumns: 6).content == "日本…")
        #expect(TerminalText("日本語", maximumColumns: 6).content == "日本語")
        #expect(TerminalText("abc", maximumColumns: 0).content == "")
        #expect(TerminalText("👩\u{200D}👩\u{200D}👧\u{200D}👦x", maximumColumns: 2).content == "…")
        for unit in [
            "\u{1100}", "a", "क्", "👩\u{200D}", "e\u{301}\u{301}\u{301}", "\u{600}", "🇩", "🏽", "\u{200B}", "\t",
        ] {
            for limit in [1, 2, 10, 64] {
                let text = TerminalText(String(repeating: unit, count: 20_000), maximumColumns: limit)
                #expect(text.columns <= limit)
                #expect(text.content.unicodeScalars.count <= 14 * limit + 2, "\(unit) \(limit)")
            }
        }
    }

    @Test(
        "lines are lines, whatever ends them, and tabs reach the next stop",
        arguments: [
            ("a\nb", ["a", "b"]), ("a\r\nb", ["a", "b"]), ("a\n\nb\n", ["a", "", "b", ""]), ("", [""]),
            ("a\rb", ["a", "b"]),
            ("a\u{85}b\u{2028}c", ["a", "b", "c"]), ("\ta\tb", ["        a       b"]), ("日本\tx", ["日本    x"]),
            ("1234567\tx", ["1234567 x"]), ("12345678\tx", ["12345678        x"]),
        ])
    func lines(text: String, expected: [String]) {
        #expect(TerminalText.lines(of: text).map(\.content) == expected)
    }

    @Test("every code point, alone and after others, becomes something that cannot steer a terminal")
    func everything() {
        // The planes between hold nothing, or nothing but ideographs and private characters.
        for value in Array(UInt32(0)...0x1_ffff) + Array(0xe_0000...0xe_0fff) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for text in [
                "\(scalar)", "a\(scalar)", "ש\(scalar)", "a" + String(repeating: Character(scalar), count: 16),
            ] {
                let cleaned = TerminalText(text).content
                for scalar in cleaned.unicodeScalars where !Self.isHarmless(scalar) {
                    Issue.record("U+\(String(value, radix: 16)) becomes U+\(String(scalar.value, radix: 16))")
                }
                // The widest there is: a letter with four marks that take two columns each.
                if TextPiece.pieces(of: cleaned).contains(where: { $0.columns > 9 }) {
                    Issue.record("U+\(String(value, radix: 16)) makes a cluster of any width")
                }
                // What would be drawn into what stands before it.
                if " \(cleaned)".count == cleaned.count, !cleaned.isEmpty {
                    Issue.record("U+\(String(value, radix: 16)) joins what it did not come with")
                }
            }
        }
    }

    @Test("whatever is mixed becomes harmless, is clean then, and no cluster is wide")
    func mixtures() {
        var random = SeededRandom(3)
        let peculiar = Array(
            "\u{1B}\u{9B}\u{202E}\u{2066}\u{2069}\u{200D}\u{200C}\u{FE0F}\u{301}\u{1100}\u{1161}👩🏽❤\u{600}क\u{94D}ש\u{200F}\u{E19}\u{E33}🏴\u{E0061}\u{E007F}🇩🇪a \t日\u{3000}\u{AD}\u{20E3}1"
                .unicodeScalars)
        for _ in 0..<3_000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                text.append(peculiar[Int.random(in: 0..<peculiar.count, using: &random)])
            }
            let cleaned = TerminalText(String(text))
            #expect(cleaned.content.unicodeScalars.allSatisfy(Self.isHarmless))
            #expect(TextPiece.pieces(of: cleaned.content).allSatisfy { $0.columns <= 6 })
            #expect(TextPiece.pieces(of: cleaned.content).map(\.text).joined() == cleaned.content)
            let again = TerminalText(cleaned.content)
            if again != cleaned {
                Issue.record("\(text.map { String($0.value, radix: 16) }): \(cleaned), then \(again)")
            }
        }
    }

    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: false
        case .format:
            scalar == .joiner || scalar == .nonJoiner || scalar.isPrepended
                || [0x61c, 0x200e, 0x200f].contains(scalar.value)
                || (0xe0020...0xe007f).contains(scalar.value)
        default: true
        }
    }
}
