import Foundation
import KamuneNode

/// When a message was written, and when it came, if that is not about the same: it may have waited for days.
struct MessageTimes: Sendable, Equatable {
    /// When it was written, by the clock of whoever wrote it.
    let written: Date
    /// When it came in, by this machine's clock; nil when that says nothing more.
    let arrived: Date?

    /// By how much clocks and networks differ without anybody minding, in seconds.
    private static let tolerance = 60.0

    init(_ message: MessageInfo) {
        self.init(
            written: message.written, received: message.direction == .incoming ? message.received : nil)
    }

    /// - Parameter received: When it came in, if it did.
    init(written: Date, received: Date?) {
        guard let received else {
            self.written = written
            arrived = nil
            return
        }
        let isLate = abs(received.timeIntervalSince(written)) >= Self.tolerance
        // Of two clocks that say about the same, our own is the one that the person knows.
        self.written = isLate ? written : received
        arrived = isLate ? received : nil
    }

    /// With days and seconds, such as "2026-07-25 14:05:09 (arrived 2026-07-26 09:12:33)".
    var inFull: String { Times.local(written) + (arrived.map { " (arrived \(Times.local($0)))" } ?? "") }

    /// Under a heading with the day on which it came, such as "14:05:09", or "2026-07-25 14:05:09 (arrived 09:12:33)".
    var underDay: String {
        guard let arrived else { return String(Times.local(written).dropFirst(11)) }
        let isSameDay = Times.localDay(written) == Times.localDay(arrived)
        return String(Times.local(written).dropFirst(isSameDay ? 11 : 0))
            + " (arrived \(Times.local(arrived).dropFirst(11)))"
    }

    /// In a conversation that goes on now, such as "14:05", or "2026-07-25 14:05 (arrived 09:12)".
    var inBrief: String {
        guard let arrived else { return Times.ofDay(written) }
        let isSameDay = Times.localDay(written) == Times.localDay(arrived)
        return (isSameDay ? Times.ofDay(written) : Times.localMinute(written)) + " (arrived \(Times.ofDay(arrived)))"
    }
}
