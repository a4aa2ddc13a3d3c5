package import Foundation

/// Points in time as programs read them: in UTC with milliseconds, such as "2026-07-25T12:05:09.250Z" (RFC 3339).
package enum Timestamp {
    /// The text of a time, within the years 1000 to 9999: what a peer says may be any number.
    package static func text(of date: Date) -> String {
        let seconds = date.timeIntervalSince1970
        let clamped = seconds.isNaN ? 0 : min(max(seconds, -30_610_224_000), 253_402_300_799)
        let milliseconds = Int64((clamped * 1_000).rounded(.down))
        let (whole, rest) = floorDivide(milliseconds, 1_000)
        return "\(text(ofSeconds: whole)).\(pad(rest, 3))Z"
    }

    /// The text of a time as Go's `RFC3339Nano` has it: with as many digits of the second as there are, and
    /// "0001-01-01T00:00:00Z" for what no calendar reaches that programs know.
    package static func exactText(of date: Date) -> String {
        let time = date.timeIntervalSince1970
        guard time.isFinite, time >= -62_135_596_800, time < 253_402_300_800 else { return none }
        var seconds = Int64(time.rounded(.down))
        // A Date is exact to some hundred nanoseconds; what is beyond that would be noise.
        var micros = Int64(((time - Double(seconds)) * 1_000_000).rounded())
        if micros == 1_000_000 { (seconds, micros) = (seconds + 1, 0) }
        guard micros > 0 else { return text(ofSeconds: seconds) + "Z" }
        var digits = pad(micros, 6)
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(text(ofSeconds: seconds)).\(digits)Z"
    }

    /// What stands for no time (Go's zero time).
    package static let none = "0001-01-01T00:00:00Z"

    private static func text(ofSeconds seconds: Int64) -> String {
        let (days, rest) = floorDivide(seconds, 86_400)
        let (year, month, day) = civil(fromDays: days)
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(rest / 3_600, 2)):\(pad(rest / 60 % 60, 2)):"
            + pad(rest % 60, 2)
    }

    /// Reads a time, with or without a fraction of a second, in UTC or with an offset.
    package static func date(in text: String) -> Date? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return value
        }
        func has(_ character: Character, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard has("-", at: 4), has("-", at: 7), has("T", at: 10) || has("t", at: 10), has(":", at: 13),
            has(":", at: 16),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var index = 19
        var fraction = 0.0
        if has(".", at: index) {
            var scale = 0.1
            index += 1
            let start = index
            while index < bytes.count, let digit = number(index..<(index + 1)) {
                fraction += Double(digit) * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        var offset: Int64 = 0
        if has("Z", at: index) || has("z", at: index) {
            guard index + 1 == bytes.count else { return nil }
        } else {
            guard has("+", at: index) || has("-", at: index), bytes.count == index + 6, has(":", at: index + 3),
                let hours = number((index + 1)..<(index + 3)), let minutes = number((index + 4)..<(index + 6)),
                hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 3_600 + minutes * 60) * (has("-", at: index) ? -1 : 1)
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
        return Date(timeIntervalSince1970: Double(seconds) + fraction)
    }

    // Days and dates of the proleptic Gregorian calendar, in eras of 400 years that begin with March (Howard Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms").

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(shifted, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func pad(_ number: Int64, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
