import Foundation
import KamuneNode

/// Points in time and durations, as people read them.
enum Times {
    /// Hours and minutes of the local clock, such as "14:05".
    static func ofDay(_ date: Date) -> String {
        var seconds = time_t(clamped(date).rounded(.down))
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "--:--" }
        return "\(twoDigits(parts.tm_hour)):\(twoDigits(parts.tm_min))"
    }

    /// The day of the local clock, such as "2026-07-25".
    static func localDay(_ date: Date) -> String {
        String(local(date).prefix(10))
    }

    /// Day and time of the local clock, such as "2026-07-25 14:05".
    static func localMinute(_ date: Date) -> String {
        String(local(date).prefix(16))
    }

    /// Day and time of the local clock, such as "2026-07-25 14:05:09".
    static func local(_ date: Date) -> String {
        formatted(date, "%Y-%m-%d %H:%M:%S") ?? "????-??-?? ??:??:??"
    }

    /// By how much the local clock differs from UTC at a time, such as "+0200".
    static func zone(_ date: Date) -> String {
        formatted(date, "%z") ?? ""
    }

    /// A time for programs, in UTC with milliseconds, such as "2026-07-25T12:05:09.250Z" (RFC 3339).
    static func stamp(_ date: Date) -> String { Timestamp.text(of: date) }

    /// Seconds since 1970, within the years 1000 and 9999: what a peer says may be any number.
    private static func clamped(_ date: Date) -> Double {
        let seconds = date.timeIntervalSince1970
        return seconds.isNaN ? 0 : min(max(seconds, -30_610_224_000), 253_402_300_799)
    }

    private static func formatted(_ date: Date, _ format: String) -> String? {
        var seconds = time_t(clamped(date).rounded(.down))
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return nil }
        let bytes = [CChar](unsafeUninitializedCapacity: 64) { buffer, count in
            count = strftime(buffer.baseAddress, buffer.count, format, &parts)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Milliseconds with two decimals, such as "1.25 ms".
    static func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let hundredths = seconds.multipliedReportingOverflow(by: 100_000)
        guard !hundredths.overflow else { return "very long" }
        let total = hundredths.partialValue &+ attoseconds / 10_000_000_000_000
        return "\(total / 100).\(twoDigits(Int32(truncatingIfNeeded: total % 100))) ms"
    }

    private static func twoDigits(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
