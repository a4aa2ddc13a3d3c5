/// Takes the code points of a text from elsewhere, and leaves what may be drawn.
struct TextCleaner {
    /// How many marks may stand on one character. The languages that use most need about four.
    private static let maximumMarks = 4
    /// How many emoji may be joined into one. The largest that Unicode recommends are of four.
    private static let maximumJoins = 6
    /// How many letters the tag of a flag has at the most, as in “gbeng” (UTS #51 §C.1).
    private static let maximumTags = 6

    /// Whether the marks that text from right to left needs are kept.
    let isRightToLeft: Bool
    /// How far tabs are apart, in columns; nil when a tab is a space.
    private let tabDistance: Int?

    private var result = String.UnicodeScalarView()
    /// About how many columns there are so far: never less than ``TextWidth`` says.
    private(set) var columns = 0

    /// Whether something stands there that a mark can stand on.
    private var hasBase = false
    private var marks = 0
    private var joins = 0
    /// Whether the last emoji has its colour of skin.
    private var isColored = false
    /// The tags behind a black flag, as far as they have come.
    private var tags: [Unicode.Scalar]?
    private var previous: Unicode.Scalar?

    init(isRightToLeft: Bool, tabDistance: Int? = nil) {
        self.isRightToLeft = isRightToLeft
        self.tabDistance = tabDistance
    }

    /// What may be drawn of all that was taken.
    mutating func finish() -> String {
        // A joiner at the end would join what follows.
        while let last = result.last, last == .joiner || last == .nonJoiner { result.removeLast() }
        return String(result)
    }

    mutating func take(_ scalar: Unicode.Scalar) {
        defer { previous = scalar }
        if (0x20..<0x7f).contains(scalar.value) {
            base(scalar, columns: 1)
            return
        }
        if takeTag(scalar) { return }
        if scalar.endsLine || scalar == "\t" {
            // CR LF is one break.
            if scalar != "\n" || previous != "\r" { space(for: scalar) }
            return
        }
        let kind = WidthTable.kind(of: scalar)
        switch kind {
        case .control, .privateUse, .unassigned, .unassignedWide: base(.replacement, columns: 1)
        case .zero: takeInvisible(scalar)
        case .narrow, .narrowUnlessEmoji, .wide: takeVisible(scalar, kind)
        }
    }

    // MARK: What is seen

    private mutating func takeVisible(_ scalar: Unicode.Scalar, _ kind: WidthTable.Kind) {
        switch scalar.value {
        // Letters and symbols that show nothing: fillers of Hangul, the blank of Braille. And what only shows where a word
        // is broken.
        case 0x115f, 0x3164, 0xffa0, 0x2800: base(" ", columns: 1)
        case 0xad: break
        // Spaces that do not break, and that of ideographs.
        case 0xa0, 0x202f, 0x3000: base(scalar, columns: kind.columns)
        // Vowels of Thai and Lao, and the marks of halfwidth katakana: letters that stand beside another, of which Unicode
        // makes one cluster with it.
        case 0xe33, 0xeb3, 0xff9e, 0xff9f: mark(scalar, columns: kind.columns)
        default:
            switch scalar.properties.generalCategory {
            case .spaceSeparator: base(" ", columns: 1)
            case .spacingMark: mark(scalar, columns: kind.columns)
            default: letter(scalar, kind)
            }
        }
    }

    private mutating func letter(_ scalar: Unicode.Scalar, _ kind: WidthTable.Kind) {
        if scalar.isEmojiModifier {
            color(scalar)
            return
        }
        let isJoined = result.last == .joiner
        let joinsSoFar = joins
        base(scalar, columns: kind.columns)
        if isJoined { joins = joinsSoFar }
        if scalar == "\u{1F3F4}" { tags = [] }
    }

    /// A colour of skin belongs to an emoji. On anything else terminals disagree what it is, and a second one would pile up
    /// unseen.
    private mutating func color(_ scalar: Unicode.Scalar) {
        guard let last = result.last, last.isPictograph || last == .emojiSelector || isColored else {
            base(.replacement, columns: 1)
            return
        }
        if isColored { return }
        isColored = true
        result.append(scalar)
        columns += WidthTable.Kind.wide.columns
    }

    private mutating func space(for scalar: Unicode.Scalar) {
        guard scalar == "\t", let tabDistance else {
            base(" ", columns: 1)
            return
        }
        repeat { base(" ", columns: 1) } while columns % tabDistance != 0
    }

    /// Something that stands by itself, and that marks may stand on.
    private mutating func base(_ scalar: Unicode.Scalar, columns width: Int) {
        result.append(scalar)
        columns += width
        (hasBase, marks, joins, isColored, tags) = (true, 0, 0, false, nil)
    }

    // MARK: What is not

    private mutating func takeInvisible(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x200c, 0x200d: join(scalar)
        // Variation selectors: the two that choose how an emoji looks, the others for nothing that a terminal shows.
        case 0xfe0e, 0xfe0f:
            if result.last?.properties.isEmoji == true {
                result.append(scalar)
                if scalar == .emojiSelector { columns += 1 }
            }
        case 0xfe00...0xfe0d, 0xe0100...0xe01ef, 0x180b...0x180f, 0x34f, 0x17b4, 0x17b5: break
        case 0x1160: base(" ", columns: 1)
        // The marks that say which way weak characters go beside letters from right to left. Elsewhere they only hide.
        case 0x61c, 0x200e, 0x200f:
            if isRightToLeft, result.last.map({ !$0.properties.isBidiControl }) ?? true {
                result.append(scalar)
                hasBase = false
            }
        // Overrides of direction are made visible, since they lie. What embeds and isolates needs no mark: the whole is
        // isolated where it is drawn.
        case 0x202d, 0x202e: base(.replacement, columns: 1)
        default:
            if scalar.properties.generalCategory != .format { mark(scalar, columns: 0) }
        }
    }

    /// Joiners mean something within words of some scripts and within emoji, and hide elsewhere.
    private mutating func join(_ scalar: Unicode.Scalar) {
        guard let last = result.last, !last.isASCII, last != .replacement, last != .joiner, last != .nonJoiner,
            joins < Self.maximumJoins
        else { return }
        joins += 1
        result.append(scalar)
    }

    private mutating func mark(_ scalar: Unicode.Scalar, columns width: Int) {
        // A mark that has nothing to stand on would stand on what we draw.
        if !hasBase { base("\u{25CC}", columns: 1) }
        marks += 1
        guard marks <= Self.maximumMarks else { return }
        result.append(scalar)
        columns += width
    }

    // MARK: Tags

    /// Tags are letters that nobody sees. They spell the flags of England, Scotland and Wales behind a black flag, and
    /// else they hide.
    ///
    /// - Returns: Whether it was a tag.
    private mutating func takeTag(_ scalar: Unicode.Scalar) -> Bool {
        guard (0xe0000...0xe007f).contains(scalar.value) else {
            tags = nil
            return false
        }
        guard var spelled = tags else { return true }
        if scalar == "\u{E007F}" {
            tags = nil
            if spelled.count >= 3 { result.append(contentsOf: spelled + [scalar]) }
        } else {
            spelled.append(scalar)
            let isLetter = (0xe0030...0xe0039).contains(scalar.value) || (0xe0061...0xe007a).contains(scalar.value)
            tags = isLetter && spelled.count <= Self.maximumTags ? spelled : nil
        }
        return true
    }
}
