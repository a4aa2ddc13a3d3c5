/// How many columns text takes in a terminal.
///
/// Terminals agree on most of it and differ in the rest: emoji that are joined, coloured or chosen by U+FE0F, and syllables
/// of scripts whose vowels stand beside their consonants. Here an emoji takes two columns, however it is made, and of
/// everything else the code points are counted, as most terminals do. Whoever draws must not rely on it: a row is drawn
/// with autowrap off, and the cursor is placed anew behind what is not ``TextPiece/isCertain``.
package enum TextWidth {
    /// The columns of a text. Controls take none; text from elsewhere has none (``TerminalText``).
    package static func of(_ text: some StringProtocol) -> Int {
        var columns = 0
        var isPlain = true
        for byte in text.utf8 {
            guard byte >= 0x20, byte < 0x7f else {
                isPlain = false
                break
            }
            columns += 1
        }
        return isPlain ? columns : text.reduce(0) { $0 + of($1) }
    }

    /// The columns of a grapheme cluster.
    package static func of(_ character: Character) -> Int { measure(character.unicodeScalars).columns }

    /// The columns of the code points of one cluster, and whether terminals agree on them.
    static func measure(_ scalars: some Collection<Unicode.Scalar>) -> (columns: Int, isCertain: Bool) {
        var columns = 0
        var isCertain = true
        var first: WidthTable.Kind?
        var isEmoji = false
        var previous: Unicode.Scalar?
        for scalar in scalars {
            defer { previous = scalar }
            let kind = WidthTable.kind(of: scalar)
            guard let first else {
                first = kind
                isEmoji = scalar.isPictograph
                columns = kind.columns
                if scalar.isPrepended || scalar.isRegionalIndicator || scalar.isOfChangedWidth { isCertain = false }
                continue
            }
            if scalar == .emojiSelector {
                if first == .narrowUnlessEmoji { (columns, isCertain) = (max(columns, 2), false) }
            } else if scalar.isEmojiModifier, isEmoji {
                // A colour of skin, which is a square where it colours nothing.
                (columns, isCertain) = (max(columns, 2), false)
            } else if previous == .joiner, kind == .wide || kind == .narrowUnlessEmoji {
                (columns, isCertain) = (max(columns, 2), false)
            } else if kind.columns > 0 {
                columns += kind.columns
                isCertain = false
            } else if scalar == .joiner || scalar == .textSelector {
                isCertain = false
            }
        }
        return (columns, isCertain)
    }
}

extension Unicode.Scalar {
    static let joiner: Unicode.Scalar = "\u{200D}"
    static let nonJoiner: Unicode.Scalar = "\u{200C}"
    static let emojiSelector: Unicode.Scalar = "\u{FE0F}"
    static let textSelector: Unicode.Scalar = "\u{FE0E}"
    static let replacement: Unicode.Scalar = "\u{FFFD}"

    /// A colour of skin (UTS #51 §2.4).
    var isEmojiModifier: Bool { (0x1f3fb...0x1f3ff).contains(value) }

    /// Whether it is an emoji, or may become one.
    var isPictograph: Bool { value > 0xff && properties.isEmoji }

    /// Half of a flag (UTS #51 §2.6).
    var isRegionalIndicator: Bool { (0x1f1e6...0x1f1ff).contains(value) }

    /// Whether Unicode 16 has made it wide, which older terminals do not know; or whether some take it for wide that is not:
    /// numbers in circles on black squares.
    var isOfChangedWidth: Bool {
        switch value {
        case 0x2630...0x2637, 0x268a...0x268f, 0x4dc0...0x4dff, 0x1d300...0x1d356, 0x1d360...0x1d376: true
        case 0x3248...0x324f: true
        default: false
        }
    }

    /// A sign that encloses or precedes numbers, as the Arabic number sign (Prepended_Concatenation_Mark).
    var isPrepended: Bool {
        switch value {
        case 0x600...0x605, 0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x110bd, 0x110cd: true
        default: false
        }
    }
}
