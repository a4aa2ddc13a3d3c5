/// How many columns text takes in a terminal. Terminals differ in the details; this is what most of them do: two for East
/// Asian wide characters and emoji (UAX #11), none for what combines, one for the rest.
enum TextWidth {
    static func of(_ text: some Sequence<Character>) -> Int {
        text.reduce(0) { $0 + of($1) }
    }

    static func of(_ character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return 0 }
        if first.isASCII { return first.value < 0x20 || first.value == 0x7f ? 0 : 1 }
        if scalars.contains("\u{FE0F}") || isWide(first) { return 2 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: return 1
        }
    }

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xa000...0xa4cf,
            0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6,
            0x1f1e6...0x1f1ff, 0x17000...0x18cff, 0x1b000...0x1b2ff, 0x20000...0x3fffd:
            true
        default:
            scalar.properties.isEmojiPresentation
        }
    }
}
