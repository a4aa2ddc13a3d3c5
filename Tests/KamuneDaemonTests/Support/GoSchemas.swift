import Foundation
import KamuneDaemon
import Testing

/// The JSON Schemas of the Go daemon, where they are at hand: in `../shared/daemon-schema` beside the project. They are that
/// project's, so ours compares with them and does not hold them.
struct GoSchemas: Sendable {
    static let shared = GoSchemas()

    private let events: [String: Schema]
    private let commands: [String: Schema]
    private let eventEnvelope: Schema

    private init?() {
        let project = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let directory = project.deletingLastPathComponent().appending(path: "shared/daemon-schema")
        guard let events = Self.read(directory.appending(path: "events")),
            let commands = Self.read(directory.appending(path: "commands")),
            let shared = Self.read(directory.appending(path: "_shared")), let envelope = shared["event-envelope"]
        else { return nil }
        (self.events, self.commands, eventEnvelope) = (events, commands, envelope)
    }

    private static func read(_ directory: URL) -> [String: Schema]? {
        guard let files = try? FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
        else {
            return nil
        }
        var schemas: [String: Schema] = [:]
        for file in files where file.pathExtension == "json" {
            guard let data = try? Data(contentsOf: file), let value = try? JSONParser.parse([UInt8](data)) else {
                return nil
            }
            let name = file.lastPathComponent.replacing(".schema.json", with: "")
            schemas[name] = Schema(value, directory)
        }
        return schemas
    }

    var commandNames: Set<String> { Set(commands.keys) }
    var eventNames: Set<String> { Set(events.keys) }

    /// Records what an event has that its schema forbids.
    func check(_ event: ReadEvent) throws {
        for problem in eventEnvelope.problems(in: try JSONParser.parse(Array(event.description.utf8))) {
            Issue.record("\(problem) in \(event)")
        }
        guard let schema = events[event.name] else {
            Issue.record("The Go daemon has no event \(event.name)")
            return
        }
        for problem in schema.problems(in: event.data) { Issue.record("\(problem) in \(event)") }
    }

    /// Whether parameters keep to the schema of a command.
    func allows(_ parameters: JSONValue, for command: String) throws -> Bool {
        try #require(commands[command]).problems(in: parameters).isEmpty
    }
}

/// As much of JSON Schema as the Go daemon's schemas use.
struct Schema: Sendable {
    private let value: JSONValue
    private let directory: URL

    init(_ value: JSONValue, _ directory: URL) {
        self.value = value
        self.directory = directory
    }

    private subscript(name: String) -> JSONValue? {
        guard case .object(let members) = value else { return nil }
        return members.last { $0.name == name }?.value
    }

    func problems(in instance: JSONValue, at place: String = "") -> [String] {
        if case .text(let reference) = self["$ref"] {
            let file = directory.appending(path: reference)
            guard let data = try? Data(contentsOf: file), let value = try? JSONParser.parse([UInt8](data)) else {
                return ["\(place): the reference \(reference) leads nowhere"]
            }
            return Schema(value, file.deletingLastPathComponent()).problems(in: instance, at: place)
        }
        var problems: [String] = []
        if let type = self["type"] {
            let names: [JSONValue] = if case .list(let list) = type { list } else { [type] }
            if !names.contains(where: { Self.has(instance, type: $0) }) { problems.append("\(place): wrong type") }
        }
        if let constant = self["const"], !Self.areEqual(constant, instance) {
            problems.append("\(place): not the constant")
        }
        if case .list(let values) = self["enum"], !values.contains(where: { Self.areEqual($0, instance) }) {
            problems.append("\(place): none of the values that there are")
        }
        if case .integer(let least) = self["minimum"], case .integer(let number) = instance, number < least {
            problems.append("\(place): too small")
        }
        if case .text("date-time") = self["format"], case .text(let text) = instance {
            let time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)/
            if (try? time.wholeMatch(in: text)) == nil { problems.append("\(place): no time") }
        }
        if case .list(let items) = instance, let schema = self["items"] {
            for (index, item) in items.enumerated() {
                problems += Schema(schema, directory).problems(in: item, at: "\(place)[\(index)]")
            }
        }
        if case .object(let members) = instance { problems += self.problems(of: members, at: place) }
        return problems
    }

    private func problems(of members: [JSONMember], at place: String) -> [String] {
        var problems: [String] = []
        if case .list(let names) = self["required"] {
            for case .text(let name) in names where !members.contains(where: { $0.name == name }) {
                problems.append("\(place): \(name) is missing")
            }
        }
        var known: [String: JSONValue] = [:]
        if case .object(let properties) = self["properties"] {
            for property in properties { known[property.name] = property.value }
        }
        for member in members {
            if let schema = known[member.name] {
                problems += Schema(schema, directory).problems(in: member.value, at: "\(place).\(member.name)")
            } else if case .flag(false) = self["additionalProperties"] {
                problems.append("\(place): \(member.name) is one too many")
            }
        }
        return problems
    }

    private static func has(_ value: JSONValue, type: JSONValue) -> Bool {
        switch (type, value) {
        case (.text("object"), .object), (.text("array"), .list), (.text("string"), .text), (.text("string"), .secret),
            (.text("integer"), .integer), (.text("number"), .integer), (.text("number"), .number),
            (.text("boolean"), .flag), (.text("null"), .null):
            true
        default: false
        }
    }

    private static func areEqual(_ a: JSONValue, _ b: JSONValue) -> Bool { JSONWriter.line(a) == JSONWriter.line(b) }
}
