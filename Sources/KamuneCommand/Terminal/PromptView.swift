/// What a line that is being typed looks like in one row of a terminal: the part of it around the cursor.
struct PromptView: Equatable, Sendable {
    /// The row's text.
    let text: String
    /// Where the cursor stands, in columns from the left.
    let cursorColumn: Int
    /// Where the note begins, in columns from the left; nil when there is none, or no room for it.
    let noteColumn: Int?

    /// How far from the typed text the note keeps, in columns.
    private static let noteDistance = 2

    /// - Parameters:
    ///   - prompt: What stands in front; without escape sequences.
    ///   - note: What stands at the right end of the row, if there is room.
    ///   - columns: How wide the terminal is. The last column stays free, since terminals wrap there.
    init(prompt: String, editor: LineEditor, note: String = "", columns: Int) {
        let promptWidth = TextWidth.of(prompt)
        let room = max(columns - 1 - promptWidth, 1)

        // From the cursor to the left while it fits, then to the right into what is left.
        var left: ArraySlice<Character> = editor.before[...]
        var leftWidth = TextWidth.of(left)
        if leftWidth > room {
            // Scrolling by half a row at a time is calmer than by every key.
            let step = max(room / 2, 1)
            var excess = (leftWidth - room + step - 1) / step * step
            while excess > 0, let first = left.first {
                excess -= TextWidth.of(first)
                leftWidth -= TextWidth.of(first)
                left = left.dropFirst()
            }
        }
        var right: ArraySlice<Character> = []
        var width = leftWidth
        for (index, character) in editor.after.enumerated() {
            width += TextWidth.of(character)
            if width > room { break }
            right = editor.after[...index]
        }
        text = prompt + String(left) + String(right)
        cursorColumn = promptWidth + leftWidth
        let noteWidth = TextWidth.of(note)
        let start = columns - 1 - noteWidth
        noteColumn = noteWidth > 0 && start >= TextWidth.of(text) + Self.noteDistance ? start : nil
    }
}
