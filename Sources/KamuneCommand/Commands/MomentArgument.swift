import ArgumentParser
import Foundation

/// A point in time, or a day, as people type it: 2026-07-25, 2026-07-25 14:05, 2026-07-25T14:05:09Z, today, yesterday.
enum MomentArgument: ExpressibleByArgument, Equatable, Sendable {
    case today
    case yesterday
    case fixed(TimeSpan)

    init?(argument: String) {
        switch argument.lowercased() {
        case "today": self = .today
        case "yesterday": self = .yesterday
        default:
            guard let span = TimeSpan(argument) else { return nil }
            self = .fixed(span)
        }
    }

    /// What it is by a clock; nil where that shows no day.
    func span(at now: Date) -> TimeSpan? {
        switch self {
        case .today: TimeSpan(dayOf: now)
        case .yesterday: TimeSpan(dayOf: now, daysBefore: 1)
        case .fixed(let span): span
        }
    }
}

/// A day, a minute or a second.
struct TimeSpan: Equatable, Sendable {
    /// Where it begins.
    let start: Date
    /// Where it is over: the next day, minute or second.
    let end: Date

    private enum Precision { case day, minute, second }

    /// Reads what was typed. Without a Z the time is the local clock's.
    init?(_ text: some StringProtocol) {
        let pattern = #/(\d{4})-(\d\d)-(\d\d)(?:[t ](\d\d):(\d\d)(?::(\d\d))?(z)?)?/#
        guard let match = text.lowercased().wholeMatch(of: pattern), let year = Int32(match.1),
            let month = Int32(match.2), let day = Int32(match.3), (1_970...9_999).contains(year),
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var parts = tm()
        parts.tm_year = year - 1_900
        parts.tm_mon = month - 1
        parts.tm_mday = day
        var precision = Precision.day
        if let hour = match.4.flatMap({ Int32($0) }), let minute = match.5.flatMap({ Int32($0) }) {
            let second = match.6.flatMap { Int32($0) }
            guard hour < 24, minute < 60, second ?? 0 < 60 else { return nil }
            (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second ?? 0)
            precision = second == nil ? .minute : .second
        }
        let isUTC = match.7 != nil
        // The 31st of February is no day.
        guard let first = Self.date(parts, isUTC: isUTC), Self.day(of: first, isUTC: isUTC) == day else { return nil }
        self.init(parts, precision, isUTC: isUTC)
    }

    /// A day of the local clock.
    init?(dayOf now: Date, daysBefore: Int32 = 0) {
        var seconds = time_t(now.timeIntervalSince1970)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return nil }
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (0, 0, 0)
        parts.tm_mday -= daysBefore
        self.init(parts, .day, isUTC: false)
    }

    private init?(_ parts: tm, _ precision: Precision, isUTC: Bool) {
        var next = parts
        switch precision {
        case .day: next.tm_mday += 1
        case .minute: next.tm_min += 1
        case .second: next.tm_sec += 1
        }
        guard let start = Self.date(parts, isUTC: isUTC), let end = Self.date(next, isUTC: isUTC) else { return nil }
        self.start = start
        self.end = end
    }

    private static func date(_ parts: tm, isUTC: Bool) -> Date? {
        var parts = parts
        // Whether it is summer is for the system to say.
        parts.tm_isdst = -1
        let seconds = isUTC ? timegm(&parts) : mktime(&parts)
        return seconds == -1 ? nil : Date(timeIntervalSince1970: Double(seconds))
    }

    private static func day(of date: Date, isUTC: Bool) -> Int32? {
        var seconds = time_t(date.timeIntervalSince1970)
        var parts = tm()
        guard (isUTC ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts)) != nil else { return nil }
        return parts.tm_mday
    }
}
