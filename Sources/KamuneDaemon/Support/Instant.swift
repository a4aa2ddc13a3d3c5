import Foundation

/// A moment as it stands on the line: RFC 3339, in UTC, to the nanosecond (Go's `RFC3339Nano`).
struct Instant: Sendable, CustomStringConvertible {
    /// What stands for none (Go's zero time).
    static let none = "0001-01-01T00:00:00Z"

    let description: String

    init(_ date: Date) {
        let time = date.timeIntervalSince1970
        // What no calendar that programs know reaches.
        guard time.isFinite, time >= -62_135_596_800, time < 253_402_300_800 else {
            description = Self.none
            return
        }
        var seconds = Int64(time.rounded(.down))
        // A Date is exact to some hundred nanoseconds; what is beyond that would be noise.
        var micros = Int64(((time - Double(seconds)) * 1_000_000).rounded())
        if micros == 1_000_000 { (seconds, micros) = (seconds + 1, 0) }
        let (days, second) = seconds.quotientAndRemainder(byFloor: 86_400)
        let (year, month, day) = Self.civil(days)
        var text =
            Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(day, 2) + "T"
            + Self.padded(second / 3_600, 2) + ":" + Self.padded(second / 60 % 60, 2) + ":"
            + Self.padded(second % 60, 2)
        if micros > 0 {
            var digits = Self.padded(micros, 6)
            while digits.hasSuffix("0") { digits.removeLast() }
            text += "." + digits
        }
        description = text + "Z"
    }

    /// The date of a day since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(byFloor: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    fileprivate func quotientAndRemainder(byFloor divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
