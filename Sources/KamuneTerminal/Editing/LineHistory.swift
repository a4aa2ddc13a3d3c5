/// The lines that were typed before, to be had again with the arrow keys. Kept in memory only: what people write to each
/// other does not belong into a file that they did not ask for.
struct LineHistory: Sendable {
    private static let capacity = 200

    private var lines: [String] = []
    /// Which line is shown, and what had been typed before going back; nil when at the newest.
    private var position: (index: Int, draft: String)?

    /// Remembers a line, and goes back to the newest.
    mutating func add(_ line: String) {
        position = nil
        guard !line.isEmpty, line != lines.last else { return }
        lines.append(line)
        if lines.count > Self.capacity { lines.removeFirst() }
    }

    /// The line before the one that is shown; nil at the oldest.
    mutating func older(than current: String) -> String? {
        let index = (position?.index ?? lines.count) - 1
        guard lines.indices.contains(index) else { return nil }
        position = (index, position?.draft ?? current)
        return lines[index]
    }

    /// The line after the one that is shown, in the end what had been typed; nil when nothing is newer.
    mutating func newer() -> String? {
        guard let (index, draft) = position else { return nil }
        guard index + 1 < lines.count else {
            position = nil
            return draft
        }
        position = (index + 1, draft)
        return lines[index + 1]
    }
}
