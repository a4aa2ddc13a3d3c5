/// How terminals treat each code point: a table in two stages that is made from Unicode's data
/// (`scripts/generate-width-table`).
package enum WidthTable {
    /// What a code point is to a terminal.
    package enum Kind: UInt8, Sendable {
        /// Drawn into the column before it: marks, and what is not seen at all.
        case zero
        /// One column.
        case narrow
        /// Two columns: East Asian wide characters, and emoji (UAX #11).
        case wide
        /// One column, or two when U+FE0F asks for an emoji (emoji-variation-sequences.txt).
        case narrowUnlessEmoji
        /// Nothing yet. One column.
        case unassigned
        /// Nothing yet, among ideographs. Two columns.
        case unassignedWide
        /// C0, C1, DEL.
        case control
        /// Private use: what it shows, only some font knows.
        case privateUse

        /// How many columns a terminal takes for it, where it stands alone.
        package var columns: Int {
            switch self {
            case .zero, .control: 0
            case .narrow, .narrowUnlessEmoji, .unassigned, .privateUse: 1
            case .wide, .unassignedWide: 2
            }
        }
    }

    /// How a terminal treats a code point.
    package static func kind(of scalar: Unicode.Scalar) -> Kind {
        let value = Int(scalar.value)
        guard value < tableEnd else { return kindBeyondTable(value) }
        // Both tables have an entry for every code point below their end, which their tests walk through.
        let row = value / blockSize
        let indexStart = row / indexPerLine * (2 * indexPerLine + 1) + row % indexPerLine * 2
        let block = digit(index, indexStart) << 6 | digit(index, indexStart + 1)
        let offset = value % blockSize
        let pair = digit(blocks, block * (blockSize / 2 + 1) + offset / 2)
        return Kind(rawValue: UInt8(truncatingIfNeeded: offset % 2 == 0 ? pair & 7 : pair >> 3)) ?? .narrow
    }

    private static let tableEnd = 0x40000
    private static let blockSize = 128
    private static let indexPerLine = 32

    private static func digit(_ table: StaticString, _ position: Int) -> Int {
        Int(table.utf8Start[position]) - 0x30
    }

    /// Planes 4 to 16 hold tags, variation selectors and private characters.
    private static func kindBeyondTable(_ value: Int) -> Kind {
        switch value {
        case 0xe0001, 0xe0020...0xe007f, 0xe0100...0xe01ef: .zero
        case 0xf0000...0xffffd, 0x100000...0x10fffd: .privateUse
        default: .unassigned
        }
    }
}
