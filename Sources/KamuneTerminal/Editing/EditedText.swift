/// A text and a cursor in it, by grapheme clusters. Editing at the cursor, and moving it by one cluster, cost the same in a
/// text of any length.
struct EditedText: Sendable {
    /// The clusters before the cursor.
    private(set) var before: [Character] = []
    /// The clusters behind the cursor, the last one first.
    private(set) var afterReversed: [Character] = []
    /// How long the text is, in bytes of UTF-8.
    private(set) var size = 0
    /// How many columns the clusters before the cursor take, as ``EditorGlyph`` draws them.
    private(set) var columnsBefore = 0

    var isEmpty: Bool { before.isEmpty && afterReversed.isEmpty }
    var text: String { String(before) + String(afterReversed.reversed()) }

    /// What an edit has done: at this position stood what was removed, and stands what was inserted.
    struct Edit: Sendable {
        /// How many clusters stand before.
        var position: Int
        var removed: [Character]
        var inserted: [Character]
        /// Where the cursor was.
        var cursor: Int
    }

    /// Replaces clusters around the cursor, which stands behind the new ones then.
    mutating func replace(back: Int, forward: Int, with characters: [Character]) -> Edit {
        let cursor = before.count
        let behind = Array(before.suffix(back))
        let ahead = Array(afterReversed.suffix(forward).reversed())
        before.removeLast(behind.count)
        afterReversed.removeLast(ahead.count)
        before += characters
        size += Self.size(of: characters) - Self.size(of: behind) - Self.size(of: ahead)
        columnsBefore += Self.columns(of: characters) - Self.columns(of: behind)
        return Edit(
            position: cursor - behind.count, removed: behind + ahead, inserted: characters, cursor: cursor)
    }

    /// Inserts text. Its first code points may join what stands before it into one cluster, as an accent does, and its last
    /// what stands behind.
    mutating func insert(_ text: String) -> Edit {
        let last = before.last.map(String.init) ?? ""
        var characters = Array(last + text)
        var back = last.isEmpty ? 0 : 1
        if let next = afterReversed.last, let end = characters.last {
            let joined = Array(String(end) + String(next))
            if joined.count == 1 { return replace(back: back, forward: 1, with: characters.dropLast() + joined) }
        }
        // What stands before is left alone where nothing joins it.
        if let first = characters.first, back == 1, first == before.last, String(first).utf8.count == last.utf8.count {
            characters.removeFirst()
            back = 0
        }
        return replace(back: back, forward: 0, with: characters)
    }

    /// Moves the cursor to a position, in clusters from the beginning.
    mutating func move(to position: Int) {
        let position = min(max(position, 0), before.count + afterReversed.count)
        while before.count > position, let character = before.popLast() {
            afterReversed.append(character)
            columnsBefore -= EditorGlyph.columns(of: character)
        }
        while before.count < position, let character = afterReversed.popLast() {
            before.append(character)
            columnsBefore += EditorGlyph.columns(of: character)
        }
    }

    /// Takes an edit back.
    ///
    /// - Returns: The edit that does it again.
    mutating func revert(_ edit: Edit) -> Edit {
        let cursor = before.count
        move(to: edit.position + edit.inserted.count)
        var reverse = replace(back: edit.inserted.count, forward: 0, with: edit.removed)
        move(to: edit.cursor)
        reverse.cursor = cursor
        return reverse
    }

    private static func size(of characters: [Character]) -> Int { characters.reduce(0) { $0 + $1.utf8.count } }

    private static func columns(of characters: [Character]) -> Int {
        characters.reduce(0) { $0 + EditorGlyph.columns(of: $1) }
    }
}

/// How a cluster of a text that is being edited is drawn: in its place, whatever it is.
enum EditorGlyph {
    static func text(of character: Character) -> String {
        if let ascii = character.asciiValue, (0x20..<0x7f).contains(ascii) { return String(character) }
        // A break of line shows, in a row, as the key that makes it.
        if character.isNewline { return "⏎" }
        return TerminalText(String(character)).content
    }

    static func columns(of character: Character) -> Int {
        if let ascii = character.asciiValue, (0x20..<0x7f).contains(ascii) { return 1 }
        return TextWidth.of(text(of: character))
    }
}
