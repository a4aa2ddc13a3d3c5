import KamuneTerminal

/// Rows of cells, each column as wide as its widest cell. Cells are fit to be shown.
struct TextTable {
    private static let gap = "  "

    let header: [String]
    private var rows: [[String]] = []

    init(_ header: [String]) {
        self.header = header
    }

    mutating func append(_ row: [String]) {
        rows.append(row)
    }

    /// The lines, the header first.
    func lines(_ style: Style) -> [String] {
        var widths = header.map { TextWidth.of($0) }
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], TextWidth.of(cell))
            }
        }
        let lines = ([header] + rows).map { row in
            let cells = zip(row, widths).enumerated().map { index, pair in
                let isLast = index == row.count - 1
                return pair.0 + (isLast ? "" : String(repeating: " ", count: max(0, pair.1 - TextWidth.of(pair.0))))
            }
            return cells.joined(separator: Self.gap)
        }
        return lines.enumerated().map { $0.offset == 0 ? style(.faint, $0.element) : $0.element }
    }
}
