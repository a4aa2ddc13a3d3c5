/// A line that is being typed: a state machine without a terminal. Keys go in, and what is to be done comes out.
struct LineEditor: Sendable {
    /// What a key asks for beyond the line itself.
    enum Action: Equatable, Sendable {
        case none
        /// The line has changed, or its cursor.
        case changed
        /// The line is complete. The editor is empty again.
        case submit(String)
        /// End of input was typed on an empty line.
        case endOfInput
        /// The screen shall be drawn anew.
        case redraw
        /// The key cannot do anything here.
        case refused
    }

    /// The characters before the cursor.
    private(set) var before: [Character] = []
    /// The characters from the cursor on.
    private(set) var after: [Character] = []
    /// The longest line, in bytes of UTF-8.
    let maximumSize: Int

    private var history = LineHistory()
    private var deleted: [Character] = []
    private var size = 0

    init(maximumSize: Int) {
        self.maximumSize = maximumSize
    }

    /// The line.
    var text: String { String(before + after) }

    var isEmpty: Bool { before.isEmpty && after.isEmpty }

    /// Handles a key.
    mutating func handle(_ key: Key) -> Action {
        switch key {
        case .scalar(let scalar): return insert(scalar)
        case .enter:
            let line = text
            history.add(line)
            replace(with: "")
            return .submit(line)
        case .endOfInput where isEmpty: return .endOfInput
        case .backspace:
            guard let character = before.popLast() else { return .refused }
            return removed(character)
        case .delete, .endOfInput: return after.isEmpty ? .refused : removed(after.removeFirst())
        case .left, .right, .wordLeft, .wordRight, .lineStart, .lineEnd: return move(key)
        case .older, .newer:
            guard let line = key == .older ? history.older(than: text) : history.newer() else { return .refused }
            replace(with: line)
            return .changed
        case .deleteWord:
            let start = wordStart
            return cut(Array(before[start...])) { $0.before.removeSubrange(start...) }
        case .deleteToStart: return cut(before) { $0.before = [] }
        case .deleteToEnd: return cut(after) { $0.after = [] }
        case .insertDeleted:
            let bytes = deleted.reduce(0) { $0 + $1.utf8.count }
            guard !deleted.isEmpty, size + bytes <= maximumSize else { return .refused }
            before += deleted
            size += bytes
            return .changed
        case .redraw: return .redraw
        }
    }

    private mutating func insert(_ scalar: Unicode.Scalar) -> Action {
        let bytes = UTF8.width(scalar)
        guard size + bytes <= maximumSize else { return .refused }
        size += bytes
        // An accent, or the rest of an emoji, joins the character before it.
        if let last = before.last {
            let joined = String(last) + String(Character(scalar))
            if joined.count == 1, let character = joined.first {
                before[before.count - 1] = character
                return .changed
            }
        }
        before.append(Character(scalar))
        return .changed
    }

    private mutating func removed(_ character: Character) -> Action {
        size -= character.utf8.count
        return .changed
    }

    private mutating func cut(_ characters: [Character], _ remove: (inout Self) -> Void) -> Action {
        guard !characters.isEmpty else { return .refused }
        deleted = characters
        size -= characters.reduce(0) { $0 + $1.utf8.count }
        remove(&self)
        return .changed
    }

    private mutating func move(_ key: Key) -> Action {
        let target =
            switch key {
            case .left: max(before.count - 1, 0)
            case .right: min(before.count + 1, before.count + after.count)
            case .wordLeft: wordStart
            case .wordRight: before.count + wordLengthAhead
            case .lineStart: 0
            default: before.count + after.count
            }
        guard target != before.count else { return .refused }
        let all = before + after
        before = Array(all[..<target])
        after = Array(all[target...])
        return .changed
    }

    /// Where the word before the cursor begins.
    private var wordStart: Int {
        var index = before.count
        while index > 0, before[index - 1].isWhitespace { index -= 1 }
        while index > 0, !before[index - 1].isWhitespace { index -= 1 }
        return index
    }

    private var wordLengthAhead: Int {
        var index = 0
        while index < after.count, after[index].isWhitespace { index += 1 }
        while index < after.count, !after[index].isWhitespace { index += 1 }
        return index
    }

    private mutating func replace(with line: String) {
        before = Array(line)
        after = []
        size = line.utf8.count
    }
}
