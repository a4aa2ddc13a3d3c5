/// Lays text out in rows of a terminal: broken between words, and with a mark before every row after the first, so that no
/// part of a message can pass itself off as something that we have drawn.
///
/// A row is never wider than the terminal is, by ``TextWidth``. It has to be drawn with autowrap off
/// (``ControlSequence/autowrapOff``), for terminals that measure differently.
package struct TextLayout: Sendable {
    /// How wide the terminal is, in columns.
    package let columns: Int
    /// What stands before every row after the first. It is drawn as it is, so it must be fit to be.
    package let mark: String
    private let markColumns: Int

    /// - Parameters:
    ///   - columns: At least 2.
    ///   - mark: Cut where it would leave no room for text.
    package init(columns: Int, mark: String = "    ") {
        self.columns = max(columns, 2)
        // A mark of one column is a mark too, and in the narrowest terminal leaves one for text.
        let room = max(self.columns / 4, 1)
        self.mark = TextWidth.of(mark) <= room ? mark : String(repeating: " ", count: min(room, TextWidth.of(mark)))
        markColumns = TextWidth.of(self.mark)
    }

    /// The rows of a text.
    ///
    /// - Parameter firstColumn: Where the first row begins, behind what stands there already.
    /// - Returns: At least one row, of which the first may be empty. Each is fit to be drawn.
    package func rows(of text: TerminalText, firstColumn: Int = 0) -> [String] {
        rows(of: [text], firstColumn: firstColumn)
    }

    /// The rows of the lines of a text, each of which begins a new one.
    package func rows(of lines: [TerminalText], firstColumn: Int = 0) -> [String] {
        var rows: [String] = []
        for line in lines {
            var breaker = RowBreaker(
                firstWidth: rows.isEmpty ? max(columns - firstColumn, 0) : columns - markColumns,
                otherWidth: columns - markColumns)
            for row in breaker.rows(of: line.content) {
                let row = line.hasRightToLeft ? TerminalText.isolated(row) : row
                rows.append(rows.isEmpty ? row : mark + row)
            }
        }
        return rows.isEmpty ? [""] : rows
    }
}

/// Parts one line into rows.
private struct RowBreaker {
    let firstWidth: Int
    let otherWidth: Int

    private var rows: [String] = []
    private var row = ""
    private var width = 0
    /// Spaces that are drawn only if something follows them in the row.
    private var spaces = 0

    init(firstWidth: Int, otherWidth: Int) {
        self.firstWidth = firstWidth
        self.otherWidth = otherWidth
    }

    private var room: Int { (rows.isEmpty ? firstWidth : otherWidth) - width - spaces }

    mutating func rows(of text: String) -> [String] {
        let pieces = TextPiece.pieces(of: text)
        var index = 0
        while index < pieces.count {
            if pieces[index].isSpace {
                spaces += 1
                index += 1
                continue
            }
            let word = pieces[index...].prefix { !$0.isSpace }
            place(word: word)
            index = word.endIndex
        }
        // Spaces at the end are part of the text too, as far as there is room.
        let rest = min(spaces, max(room + spaces, 0))
        rows.append(row + String(repeating: " ", count: rest))
        return rows
    }

    private mutating func place(word: ArraySlice<TextPiece>) {
        if isLink(word) {
            place(unit: word, isWhole: true)
            return
        }
        var start = word.startIndex
        for index in word.indices.dropLast() where canBreak(word, after: index) {
            place(unit: word[start...index], isWhole: false)
            start = index + 1
        }
        place(unit: word[start...], isWhole: false)
    }

    /// Places what is not to be broken, unless no row has room for it.
    private mutating func place(unit: ArraySlice<TextPiece>, isWhole: Bool) {
        let columns = unit.reduce(0) { $0 + $1.columns }
        if columns > room, columns <= otherWidth || isWhole, !(row.isEmpty && rows.count > 0) {
            // A row that nothing stands in is not left empty, but for the first, which has something before it.
            breakRow()
        }
        for piece in unit {
            if piece.columns > room, !row.isEmpty || (rows.isEmpty && firstWidth < otherWidth) || spaces > 0 {
                breakRow()
            }
            append(piece)
        }
    }

    private mutating func append(_ piece: TextPiece) {
        if spaces > 0 {
            row += String(repeating: " ", count: spaces)
            width += spaces
            spaces = 0
        }
        // Where even an empty row is too narrow, something else stands for it.
        let fits = piece.columns <= otherWidth
        row += fits ? piece.text : "\u{FFFD}"
        width += fits ? piece.columns : 1
    }

    private mutating func breakRow() {
        rows.append(row)
        (row, width, spaces) = ("", 0, 0)
    }

    /// Whether a word is an address that people may want to open, and terminals let them if it stands in one row.
    private func isLink(_ word: ArraySlice<TextPiece>) -> Bool {
        var start = ""
        for piece in word.prefix(16) { start += piece.text }
        return start.contains("://") || start.hasPrefix("kamune:") || start.hasPrefix("mailto:")
            || start.hasPrefix("www.")
    }

    /// Between ideographs, and behind hyphens between letters (UAX #14, in its simplest form).
    private func canBreak(_ word: ArraySlice<TextPiece>, after index: Int) -> Bool {
        let (left, right) = (word[index], word[index + 1])
        if left.text == "-" {
            return index > word.startIndex && Self.isLetter(word[index - 1]) && Self.isLetter(right)
        }
        return left.columns == 2 && right.columns == 2 && !Self.closing.contains(right.text)
            && !Self.opening.contains(left.text)
    }

    private static func isLetter(_ piece: TextPiece) -> Bool { piece.text.first?.isLetter == true }

    /// What no row begins with.
    private static let closing: Set<String> = [
        "、", "。", "，", "．", "：", "；", "？", "！", "）", "］", "｝", "〉", "》", "」", "』", "】", "〕", "ー", "々", "ァ",
        "ィ", "ゥ", "ェ", "ォ", "ッ", "ャ", "ュ", "ョ", "ぁ", "ぃ", "ぅ", "ぇ", "ぉ", "っ", "ゃ", "ゅ", "ょ", "〜", "…", "・",
    ]
    /// What no row ends with.
    private static let opening: Set<String> = ["（", "［", "｛", "〈", "《", "「", "『", "【", "〔"]
}
