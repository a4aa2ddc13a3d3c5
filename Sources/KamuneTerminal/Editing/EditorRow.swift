/// What a text that is being typed looks like in one row of a terminal: the part of it around the cursor.
package struct EditorRow: Equatable, Sendable {
    /// The row's text, fit to be drawn.
    package let text: String
    /// Where the cursor stands, in columns from the left.
    package let cursorColumn: Int
    /// Where the note begins, in columns from the left; nil when there is none, or no room for it.
    package let noteColumn: Int?

    /// How far from the typed text the note keeps, in columns.
    private static let noteDistance = 2

    /// - Parameters:
    ///   - prompt: What stands in front; fit to be drawn, and without escape sequences.
    ///   - note: What stands at the right end of the row, if there is room.
    ///   - columns: How wide the terminal is. The last column stays free, since terminals wrap there.
    package init(prompt: String, editor: TextEditor, note: String = "", columns: Int) {
        let edited = editor.edited
        let promptWidth = TextWidth.of(prompt)
        let room = max(columns - 1 - promptWidth, 1)

        // From the cursor to the left while it fits, then to the right into what is left. Scrolling by half a row at a time
        // is calmer than by every key.
        var leftRoom = edited.columnsBefore
        if leftRoom > room {
            let step = max(room / 2, 1)
            leftRoom -= (leftRoom - room + step - 1) / step * step
        }
        var left: [String] = []
        var leftWidth = 0
        for character in edited.before.reversed() {
            let glyph = EditorGlyph.text(of: character)
            let width = TextWidth.of(glyph)
            if leftWidth + width > leftRoom { break }
            left.append(glyph)
            leftWidth += width
        }
        var right = ""
        var width = leftWidth
        for character in edited.afterReversed.reversed() {
            let glyph = EditorGlyph.text(of: character)
            width += TextWidth.of(glyph)
            if width > room { break }
            right += glyph
        }
        let typed = left.reversed().joined() + right
        let isRightToLeft = typed.unicodeScalars.contains(where: \.isRightToLeft)
        text = prompt + (isRightToLeft ? TerminalText.isolated(typed) : typed)
        cursorColumn = promptWidth + leftWidth
        let noteWidth = TextWidth.of(note)
        let start = columns - 1 - noteWidth
        let isRoom = noteWidth > 0 && start >= promptWidth + TextWidth.of(typed) + Self.noteDistance
        noteColumn = isRoom ? start : nil
    }
}
