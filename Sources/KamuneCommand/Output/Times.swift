import Foundation

/// Points in time and durations, as people read them.
enum Times {
    /// Hours and minutes of the local clock, such as "14:05".
    static func ofDay(_ date: Date) -> String {
        var seconds = time_t(date.timeIntervalSince1970)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "--:--" }
        return "\(twoDigits(parts.tm_hour)):\(twoDigits(parts.tm_min))"
    }

    /// The day in UTC, such as "2026-07-25".
    static func day(_ date: Date) -> String {
        var seconds = time_t(date.timeIntervalSince1970)
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "1970-01-01" }
        return "\(parts.tm_year + 1_900)-\(twoDigits(parts.tm_mon + 1))-\(twoDigits(parts.tm_mday))"
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
