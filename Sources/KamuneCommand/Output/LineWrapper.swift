/// Breaks a line at the width of the terminal, and indents what follows, so that a long message cannot pass parts of
/// itself off as lines of somebody else.
enum LineWrapper {
    /// - Parameters:
    ///   - text: What is broken; without escape sequences.
    ///   - firstColumn: Where the first row begins, behind what stands there already.
    ///   - columns: The width of the terminal.
    ///   - indentation: How many columns the other rows leave free.
    static func rows(of text: String, firstColumn: Int, columns: Int, indentation: Int = 4) -> [String] {
        var rows: [String] = []
        var row: [Character] = []
        var width = firstColumn
        var lastSpace: Int?
        let limit = max(columns, indentation + 8)
        for character in text {
            let added = TextWidth.of(character)
            if width + added > limit, !row.isEmpty {
                // At a space if there was one, within the word otherwise.
                let cut = lastSpace.map { $0 + 1 } ?? row.count
                let rest = row[cut...]
                rows.append(String(row[..<cut]))
                row = Array(rest)
                width = indentation + TextWidth.of(row)
                lastSpace = nil
            }
            if character == " " { lastSpace = row.count }
            row.append(character)
            width += added
        }
        rows.append(String(row))
        let margin = String(repeating: " ", count: indentation)
        return rows.enumerated().map { $0.offset == 0 ? $0.element : margin + $0.element }
    }
}
