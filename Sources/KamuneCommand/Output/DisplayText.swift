/// Text from elsewhere, made fit to be shown: one line, without anything that could steer the terminal, reorder or hide
/// what is shown, or climb over its neighbours. Whoever prints what a peer said prints this.
struct DisplayText: Sendable, Hashable, CustomStringConvertible {
    /// The text.
    let description: String

    /// How many marks may stand on one character. The languages that use most need about four.
    private static let maximumMarks = 4
    private static let replacement: Unicode.Scalar = "\u{FFFD}"

    /// Makes text fit to be shown.
    ///
    /// - Parameter maximumLength: Longer text is cut and ends in “…”; nil for text of any length.
    init(_ text: some StringProtocol, maximumLength: Int? = nil) {
        let cleaned = Self.clean(text.unicodeScalars)
        guard let maximumLength, cleaned.count > maximumLength else {
            description = cleaned
            return
        }
        description = cleaned.prefix(max(maximumLength - 1, 0)) + "…"
    }

    private static func clean(_ scalars: some Collection<Unicode.Scalar>) -> String {
        var result = String.UnicodeScalarView()
        var marks = 0
        var previous: Unicode.Scalar?
        var hasBase = false
        for scalar in scalars {
            // CR LF is one line break.
            let isSecondOfPair = scalar == "\n" && previous == "\r"
            defer { previous = scalar }
            if isSecondOfPair { continue }
            switch treatment(of: scalar, after: result.last) {
            case .keep:
                marks = 0
                hasBase = true
                result.append(scalar)
            case .mark:
                // A mark that has nothing to stand on would stand on what we print.
                if !hasBase {
                    result.append("\u{25CC}")
                    hasBase = true
                }
                marks += 1
                if marks <= maximumMarks { result.append(scalar) }
            case .joiner:
                result.append(scalar)
            case .drop: break
            case .replace(let other):
                marks = 0
                hasBase = other != " "
                result.append(other)
            }
        }
        // A joiner at the end would join what follows.
        while let last = result.last, isJoiner(last) { result.removeLast() }
        return String(result)
    }

    private enum Treatment {
        case keep, mark, joiner, drop
        case replace(Unicode.Scalar)
    }

    private static func isJoiner(_ scalar: Unicode.Scalar) -> Bool { scalar == "\u{200C}" || scalar == "\u{200D}" }

    private static func treatment(of scalar: Unicode.Scalar, after last: Unicode.Scalar?) -> Treatment {
        if scalar.isASCII {
            switch scalar.value {
            case 0x20...0x7e: return .keep
            case 0x09...0x0d: return .replace(" ")
            default: return .replace(replacement)
            }
        }
        if isJoiner(scalar) {
            // They mean something within words of some scripts and within emoji, and hide elsewhere.
            guard let last, !last.isASCII, !isJoiner(last), last != replacement else { return .drop }
            return .joiner
        }
        switch scalar.value {
        // Variation selectors: the two that choose how an emoji looks, the others for nothing that a terminal shows.
        case 0xfe0e, 0xfe0f:
            guard let last, last.properties.isEmoji || last == "\u{20E3}" else { return .drop }
            return .joiner
        case 0xfe00...0xfe0d, 0xe0100...0xe01ef, 0x180b...0x180f: return .drop
        // Letters and symbols that show nothing: fillers of Hangul, the blank of Braille.
        case 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800: return .replace(" ")
        case 0x034f, 0x17b4, 0x17b5: return .drop
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator:
            return scalar == "\u{85}" || scalar.value >= 0x2028 ? .replace(" ") : .replace(replacement)
        case .spaceSeparator: return .replace(" ")
        // Overrides of direction are made visible, since they lie; what is merely invisible is left out.
        case .format: return scalar.properties.isBidiControl ? .replace(replacement) : .drop
        case .surrogate, .privateUse, .unassigned: return .replace(replacement)
        case .nonspacingMark, .enclosingMark, .spacingMark: return .mark
        default: return .keep
        }
    }
}
