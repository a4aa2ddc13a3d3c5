/// A key, as a person means it.
enum Key: Equatable, Sendable {
    case scalar(Unicode.Scalar)
    case enter
    case backspace
    case delete
    case left
    case right
    case wordLeft
    case wordRight
    case lineStart
    case lineEnd
    case older
    case newer
    case deleteWord
    case deleteToStart
    case deleteToEnd
    case insertDeleted
    case redraw
    case endOfInput
}
