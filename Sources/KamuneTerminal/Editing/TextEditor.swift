/// A text that is being typed, of one line or several: a state machine without a terminal. What was typed goes in, and what
/// is to be done comes out.
package struct TextEditor: Sendable {
    /// What is done to the text.
    package enum Command: Hashable, Sendable {
        case insert(String)
        case deleteBackward, deleteForward
        case deleteWordBackward, deleteWordForward, deleteToLineStart, deleteToLineEnd
        /// Inserts again what was deleted last, other than by single letters.
        case insertDeleted
        case moveLeft, moveRight, moveWordLeft, moveWordRight
        case moveToLineStart, moveToLineEnd, moveToStart, moveToEnd
        /// A line up or down; beyond the first or last one to what was typed before.
        case moveUp, moveDown
        /// To what was typed before, or after that.
        case older, newer
        case undo, redo
    }

    /// The longest text, in bytes of UTF-8.
    package let maximumSize: Int

    private(set) var edited = EditedText()
    private var history = LineHistory()
    private var undoing = UndoHistory()
    private var deleted: [Character] = []
    /// How far from the beginning of its line the cursor wants to stand when it is moved up and down.
    private var wantedDistance: Int?

    package init(maximumSize: Int) {
        self.maximumSize = maximumSize
    }

    /// The text.
    package var text: String { edited.text }
    package var isEmpty: Bool { edited.isEmpty }
    /// How many bytes more there may be.
    package var room: Int { maximumSize - edited.size }

    /// The text before the cursor, and from there on.
    package var parts: (before: String, after: String) {
        (String(edited.before), String(edited.afterReversed.reversed()))
    }

    /// Gives the text away, remembers it, and begins a new one.
    package mutating func submit() -> String {
        let text = text
        history.add(text)
        edited = EditedText()
        undoing = UndoHistory()
        wantedDistance = nil
        return text
    }

    /// Drops the text, without remembering it.
    package mutating func clear() {
        edited = EditedText()
        undoing = UndoHistory()
        wantedDistance = nil
    }

    /// Does something to the text.
    ///
    /// - Returns: Whether it did; false when there is nothing to do it to, or no room.
    package mutating func perform(_ command: Command) -> Bool {
        defer { if command != .moveUp, command != .moveDown { wantedDistance = nil } }
        switch command {
        case .insert(let text): return insert(text)
        case .deleteBackward: return delete(back: 1, forward: 0, isLetter: true)
        case .deleteForward: return delete(back: 0, forward: 1, isLetter: true)
        case .deleteWordBackward: return delete(back: wordLengthBefore, forward: 0)
        case .deleteWordForward: return delete(back: 0, forward: wordLengthAfter)
        case .deleteToLineStart: return delete(back: max(lineLengthBefore, isAtLineStart ? 1 : 0), forward: 0)
        case .deleteToLineEnd: return delete(back: 0, forward: max(lineLengthAfter, 1))
        case .insertDeleted: return insert(String(deleted))
        case .moveLeft: return move(by: -1)
        case .moveRight: return move(by: 1)
        case .moveWordLeft: return move(by: -wordLengthBefore)
        case .moveWordRight: return move(by: wordLengthAfter)
        case .moveToLineStart: return move(by: -lineLengthBefore)
        case .moveToLineEnd: return move(by: lineLengthAfter)
        case .moveToStart: return move(by: -edited.before.count)
        case .moveToEnd: return move(by: edited.afterReversed.count)
        case .moveUp: return moveUp() || recall(.older)
        case .moveDown: return moveDown() || recall(.newer)
        case .older, .newer: return recall(command)
        case .undo:
            guard let edit = undoing.popUndo() else { return false }
            undoing.pushRedo(edited.revert(edit))
            return true
        case .redo:
            guard let edit = undoing.popRedo() else { return false }
            undoing.pushUndo(edited.revert(edit))
            return true
        }
    }

    // MARK: Editing

    private mutating func insert(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= room else { return false }
        undoing.add(edited.insert(text), isTyping: true)
        return true
    }

    private mutating func delete(back: Int, forward: Int, isLetter: Bool = false) -> Bool {
        let back = min(back, edited.before.count)
        let forward = min(forward, edited.afterReversed.count)
        guard back + forward > 0 else { return false }
        let edit = edited.replace(back: back, forward: forward, with: [])
        if !isLetter { deleted = edit.removed }
        undoing.add(edit, isTyping: isLetter)
        return true
    }

    private mutating func recall(_ command: Command) -> Bool {
        guard let line = command == .older ? history.older(than: text) : history.newer() else { return false }
        edited.move(to: edited.before.count + edited.afterReversed.count)
        undoing.add(edited.replace(back: edited.before.count, forward: 0, with: Array(line)), isTyping: false)
        return true
    }

    // MARK: Moving

    private mutating func move(by distance: Int) -> Bool {
        let position = edited.before.count
        edited.move(to: position + distance)
        undoing.endGroup()
        return edited.before.count != position
    }

    private mutating func moveUp() -> Bool {
        let distance = wantedDistance ?? lineLengthBefore
        guard edited.before.count > lineLengthBefore else { return false }
        _ = move(by: -lineLengthBefore - 1)
        _ = move(by: min(distance - lineLengthBefore, 0))
        wantedDistance = distance
        return true
    }

    private mutating func moveDown() -> Bool {
        let distance = wantedDistance ?? lineLengthBefore
        guard edited.afterReversed.count > lineLengthAfter else { return false }
        _ = move(by: lineLengthAfter + 1)
        _ = move(by: min(distance, lineLengthAfter))
        wantedDistance = distance
        return true
    }

    private var isAtLineStart: Bool { edited.before.last?.isNewline ?? true }

    private var lineLengthBefore: Int { edited.before.reversed().prefix { !$0.isNewline }.count }
    private var lineLengthAfter: Int { edited.afterReversed.reversed().prefix { !$0.isNewline }.count }

    private var wordLengthBefore: Int { Self.wordLength(edited.before.reversed()) }
    private var wordLengthAfter: Int { Self.wordLength(edited.afterReversed.reversed()) }

    /// How many clusters there are to the end of the first word.
    private static func wordLength(_ characters: some Sequence<Character>) -> Int {
        var count = 0
        var isInWord = false
        for character in characters {
            if !character.isWhitespace { isInWord = true } else if isInWord { break }
            count += 1
        }
        return count
    }
}
