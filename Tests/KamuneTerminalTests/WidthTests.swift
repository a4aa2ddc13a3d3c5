import KamuneTestSupport
import Testing

@testable import KamuneTerminal

@Suite("Widths")
struct WidthTests {
    @Test("the table has a kind for every code point, the one that Unicode's properties make of it")
    func table() {
        var counts: [WidthTable.Kind: Int] = [:]
        for value in UInt32(0)...0x10ffff {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let kind = WidthTable.kind(of: scalar)
            counts[kind, default: 0] += 1
            // What is older than the library's own data and the table's is the same in both.
            guard let age = scalar.properties.age, age.major <= 13 else { continue }
            let isRight =
                switch scalar.properties.generalCategory {
                case .control: kind == .control
                case .privateUse: kind == .privateUse
                case .nonspacingMark, .enclosingMark, .lineSeparator, .paragraphSeparator: kind == .zero
                // The soft hyphen and signs that enclose numbers are seen.
                case .format: kind == .zero || scalar.isPrepended || value == 0xad
                // Some are never to be assigned, and older than others that are.
                case .unassigned: kind == .unassigned || kind == .unassignedWide
                case .surrogate: false
                default: kind.columns > 0 || kind == .zero && scalar.properties.name?.contains("HANGUL") == true
                }
            if !isRight { Issue.record("U+\(String(value, radix: 16)) is \(kind)") }
            if scalar.properties.isEmojiPresentation, !scalar.isRegionalIndicator, kind != .wide {
                Issue.record("U+\(String(value, radix: 16)) is an emoji, and \(kind)")
            }
        }
        #expect(counts[.control] == 65)
        #expect(counts[.privateUse] == 6_400 + 2 * 65_534)
        #expect(counts[.narrowUnlessEmoji] ?? 0 > 200)
    }

    @Test(
        "clusters take as many columns as terminals give them",
        arguments: [
            ("", 0), ("a", 1), ("é", 1), ("e\u{301}", 1), ("日", 2), ("한", 2), ("ｱ", 1), ("Ａ", 2), ("…", 1),
            ("\u{7}", 0),
            ("\u{200B}", 0), ("\u{A0}", 1), ("\u{3000}", 2), ("α", 1), ("Ж", 1),
            // Thai, Lao and Indic vowels stand beside their consonants, above or below.
            ("\u{E19}\u{E33}", 2), ("\u{E19}\u{E34}", 1), ("\u{E99}\u{EB3}", 2), ("कि", 2), ("क्षि", 3), ("நி", 2), ("မြ", 2),
            // Syllables of Hangul in one code point, in three, and consonants that begin one after the other.
            ("각", 2), ("\u{1100}\u{1161}\u{11A8}", 2), ("\u{1100}\u{1100}\u{1100}", 6),
            // Emoji.
            ("🔒", 2), ("⏰", 2), ("❤", 1), ("❤\u{FE0F}", 2), ("❤\u{FE0E}", 1), ("👍🏽", 2), ("☝🏽", 2), ("👩\u{200D}🚀", 2),
            ("👩🏽\u{200D}❤\u{FE0F}\u{200D}👨🏿", 2), ("🏳\u{FE0F}\u{200D}🌈", 2), ("1\u{FE0F}\u{20E3}", 2), ("🇩🇪", 2),
            ("\u{1F1E9}", 1), ("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", 2), ("a🏽", 3), ("日🏽", 4),
            // Newer than many a terminal: Unicode 15, 16 and 17.
            ("\u{1FAE8}", 2), ("\u{1FADF}", 2), ("\u{1FAC8}", 2),
            ("hello, world", 12), ("日本 und 한국 🔒", 16),
        ])
    func columns(text: String, columns: Int) {
        #expect(TextWidth.of(text) == columns)
    }

    /// Marks on a letter, and what terminals take for more than Unicode 13 stays out.
    private static let texts: [String] = {
        var texts: [String] = []
        for value in UInt32(0x20)...0x3_ffff {
            guard let scalar = Unicode.Scalar(value), let age = scalar.properties.age, age.major <= 13 else { continue }
            // All of what is peculiar, and some of the many that are alike.
            let isOneOfMany = (0x3400...0xd7ff).contains(value) || value > 0x1_7000
            if isOneOfMany, value % 61 != 0, !(0x1_f000...0x1_ffff).contains(value) { continue }
            switch WidthTable.kind(of: scalar) {
            case .control, .privateUse, .unassigned, .unassignedWide: continue
            case .zero: texts.append("a\(scalar)")
            default: texts.append(scalar.properties.generalCategory == .spacingMark ? "a\(scalar)" : "\(scalar)")
            }
        }
        return texts
    }()

    @Test(
        "real terminals take the same columns, where it is said that they agree",
        .enabled(if: !RealTerminal.present.isEmpty, "neither tmux nor pyte is here, or no python3"),
        .timeLimit(.minutes(5)), arguments: RealTerminal.present)
    func againstTerminals(terminal: RealTerminal) async throws {
        // What is drawn is what is cleaned: fillers, for one, never are.
        let texts = Self.texts.filter { TerminalText($0).content == $0 }
        #expect(texts.count > 15_000)
        let measured = try await terminal.columns(of: texts)
        for (text, columns) in zip(texts, measured) {
            let ours = TextWidth.measure(text.unicodeScalars)
            if ours.isCertain, ours.columns != columns {
                Issue.record("\(text.unicodeScalars.map { String($0.value, radix: 16) }): \(columns), here \(ours)")
            }
        }
    }

    /// Syllables and words of many scripts. Too narrow a guess would let a row run over the edge.
    @Test(
        "real terminals take no more columns than are counted, emoji aside",
        .enabled(if: !RealTerminal.present.isEmpty, "neither tmux nor pyte is here, or no python3"),
        .timeLimit(.minutes(5)), arguments: RealTerminal.present)
    func neverWider(terminal: RealTerminal) async throws {
        var random = SeededRandom(11)
        let blocks: [ClosedRange<UInt32>] = [
            0x590...0x6ff, 0x900...0x97f, 0x980...0x9ff, 0xa80...0xaff, 0xb80...0xbff, 0xd00...0xd7f, 0xe00...0xe7f,
            0xe80...0xeff, 0xf00...0xfff, 0x1000...0x109f, 0x1100...0x11ff, 0x1780...0x17ff, 0xac00...0xac7f,
            0x300...0x36f,
        ]
        let texts = (0..<3_000).map { index -> String in
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                if let scalar = Unicode.Scalar(UInt32.random(in: blocks[index % blocks.count], using: &random)),
                    let age = scalar.properties.age, age.major <= 13
                {
                    text.append(scalar)
                }
            }
            return TerminalText(String(text)).content
        }
        for (text, columns) in zip(texts, try await terminal.columns(of: texts)) where TextWidth.of(text) < columns {
            Issue.record("\(text.unicodeScalars.map { String($0.value, radix: 16) }): \(columns)")
        }
    }
}
