/// What was done to a text, so that it can be undone: a word at a time where it was typed.
struct UndoHistory: Sendable {
    /// How many steps are kept, and how many clusters in all of them.
    private static let maximumCount = 200
    private static let maximumClusters = 200_000
    /// How many clusters one step holds at the most, where they were typed one by one.
    private static let maximumGroup = 64

    private var undone: [EditedText.Edit] = []
    private var edits: [EditedText.Edit] = []
    private var clusters = 0
    private var isGroupOpen = false

    /// - Parameter isTyping: Whether it was typed or deleted letter by letter, and may join what was before.
    mutating func add(_ edit: EditedText.Edit, isTyping: Bool) {
        undone = []
        if isTyping, isGroupOpen, let last = edits.last, let joined = Self.join(last, edit) {
            clusters += Self.weight(joined) - Self.weight(last)
            edits[edits.count - 1] = joined
        } else {
            pushUndo(edit)
        }
        isGroupOpen = isTyping
    }

    mutating func endGroup() { isGroupOpen = false }

    mutating func popUndo() -> EditedText.Edit? {
        isGroupOpen = false
        let edit = edits.popLast()
        if let edit { clusters -= Self.weight(edit) }
        return edit
    }

    mutating func popRedo() -> EditedText.Edit? { undone.popLast() }

    mutating func pushRedo(_ edit: EditedText.Edit) { undone.append(edit) }

    mutating func pushUndo(_ edit: EditedText.Edit) {
        edits.append(edit)
        clusters += Self.weight(edit)
        var excess = 0
        while edits.count - excess > 1, edits.count - excess > Self.maximumCount || clusters > Self.maximumClusters {
            clusters -= Self.weight(edits[excess])
            excess += 1
        }
        edits.removeFirst(excess)
    }

    private static func weight(_ edit: EditedText.Edit) -> Int { edit.removed.count + edit.inserted.count }

    /// One edit that does what two do that follow each other; nil when they are to be undone one by one.
    private static func join(_ first: EditedText.Edit, _ second: EditedText.Edit) -> EditedText.Edit? {
        guard weight(first) + weight(second) <= maximumGroup else { return nil }
        var joined = first
        if second.inserted.isEmpty {
            // Deleting on, backward or forward.
            guard first.inserted.isEmpty else { return nil }
            if second.position + second.removed.count == first.position {
                joined.position = second.position
                joined.removed = second.removed + first.removed
                return joined
            }
            guard second.position == first.position else { return nil }
            joined.removed += second.removed
            return joined
        }
        // Typing on, where the last letter may have been joined into another. A word begins anew behind a space.
        let overlap = first.position + first.inserted.count - second.position
        guard !first.inserted.isEmpty, overlap >= 0, overlap <= first.inserted.count,
            second.removed.count == overlap, second.inserted.count <= overlap + 1,
            !(first.inserted.last?.isWhitespace == true && second.inserted.last?.isWhitespace == false)
        else { return nil }
        joined.inserted = first.inserted.dropLast(overlap) + second.inserted
        return joined
    }
}
