import Foundation
import KamuneNode

/// A moment as it stands on the line: RFC 3339, in UTC, to the nanosecond (Go's `RFC3339Nano`).
struct Instant: Sendable, CustomStringConvertible {
    /// What stands for none (Go's zero time).
    static let none = Timestamp.none

    let description: String

    init(_ date: Date) { description = Timestamp.exactText(of: date) }
}
