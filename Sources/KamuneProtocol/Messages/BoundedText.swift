/// Cuts text from outside to what is kept of it. A peer may send a frame's worth of text where a name belongs.
///
/// The limits are in scalars and bytes. What people see as one character may be of any length: U+1100, 20,000 times, is one
/// to Swift. A scalar takes two columns of a terminal at most, so a limit on them limits columns too.
public enum BoundedText {
    /// The most of a name that is kept, in scalars (§11).
    public static let maximumNameScalars = 256
    /// The most of a name that is kept, in bytes of UTF-8 (§11).
    public static let maximumNameBytes = 1_024
    /// The most of a version's text that is kept (§11).
    public static let maximumVersionScalars = 64

    /// A name, as far as it is kept.
    public static func name(_ text: String) -> String {
        cut(text, scalars: maximumNameScalars, bytes: maximumNameBytes)
    }

    /// The text of a version, as far as it is kept.
    public static func version(_ text: String) -> String {
        cut(text, scalars: maximumVersionScalars, bytes: 4 * maximumVersionScalars)
    }

    /// The longest beginning of a text that has so many scalars and bytes at most. Looks at no more of it than that.
    public static func cut(_ text: String, scalars: Int, bytes: Int) -> String {
        // Bytes are counted already, and bound the scalars.
        if text.utf8.count <= min(scalars, bytes) { return text }
        let view = text.unicodeScalars
        var (end, left, room) = (view.startIndex, max(scalars, 0), max(bytes, 0))
        while end < view.endIndex, left > 0 {
            let size = UTF8.width(view[end])
            guard size <= room else { break }
            room -= size
            left -= 1
            end = view.index(after: end)
        }
        return end == view.endIndex ? text : String(view[..<end])
    }
}
