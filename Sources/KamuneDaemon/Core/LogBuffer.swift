import Foundation

/// The latest log entries.
struct LogBuffer: Sendable {
    /// How much an entry matters.
    enum Level: String, Sendable, CaseIterable {
        case debug = "DEBUG"
        case info = "INFO"
        case warning = "WARN"
        case error = "ERROR"
    }

    struct Entry: Sendable {
        let time: String
        let level: Level
        let message: String

        var data: JSONValue {
            .members(["timestamp": .text(time), "level": .text(level.rawValue), "message": .text(message)])
        }

        /// As it stands in a file.
        var line: String { "\(time) [\(level.rawValue)] \(message)\n" }
    }

    /// What the Go daemon puts before each message.
    private static let origin = "[cmd/daemon] "

    private(set) var entries: [Entry] = []

    mutating func add(_ level: Level, _ message: String, at date: Date) -> Entry {
        let message = Self.origin + Quoted(message, limit: DaemonLimits.logEntrySize).description
        let entry = Entry(time: Instant(date).description, level: level, message: message)
        entries.append(entry)
        if entries.count > DaemonLimits.logEntries { entries.removeFirst(entries.count - DaemonLimits.logEntries) }
        return entry
    }

    mutating func clear() { entries = [] }
}
