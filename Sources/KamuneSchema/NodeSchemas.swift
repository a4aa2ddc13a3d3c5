import Foundation
import KamuneDaemon
import KamuneNode

/// The JSON Schemas (draft 2020-12) of the lines between a node and its windows, made from the types that are written and
/// read there.
struct NodeSchemas {
    /// A request, as its line is, and as one is written.
    struct Request {
        let name: String
        /// The schema of its parameters.
        let parameters: JSONValue
        /// One that has every member.
        let sample: [UInt8]
        /// The schema of its answer's data.
        let answer: JSONValue
        /// An answer's data that has every member, as a line.
        let answerSample: [UInt8]
    }

    /// The requests of the vocabulary.
    let requests: [Request]
    /// The schemas of the events' data, by name, and a line of each.
    let events: [(name: String, data: JSONValue, sample: [UInt8])]
    private let definitions: [String: JSONValue]

    init() throws {
        let book = try SchemaBook()
        var requests = try NodeVocabulary.requests.map { try Self.request($0, book) }
        requests.append(try Self.command(Unlock.name, Unlock.self, book))
        requests.append(try Self.command(GoIncognito.name, GoIncognito.self, book))
        requests.append(try Self.command(Shutdown.name, Shutdown.self, book))
        self.requests = requests.sorted { $0.name < $1.name }
        var events = try NodeEvent.Kind.allCases.map { try Self.event($0, book) }
        let greeting = try book.readMembers(of: NodeLine.Greeting.self)
        events.append(("ready", greeting.object, NodeLine.greeting(greeting.sample)))
        let failure = try book.read(NodeError.self).sample
        events.append(
            ("error", try book.readMembers(of: NodeLine.ErrorData.self).object, NodeLine.error(failure, id: "1")))
        self.events = events.sorted { $0.name < $1.name }
        definitions = book.definitions
    }

    private static func request<Request: NodeRequest>(
        _ type: Request.Type, _ book: SchemaBook
    ) throws -> NodeSchemas.Request {
        try command(type.name, type, answer: Request.Answer.self, book)
    }

    private static func command<Command: Codable, Answer: Codable>(
        _ name: String, _ type: Command.Type, answer: Answer.Type = Done.self, _ book: SchemaBook
    ) throws -> Request {
        let (parameters, sample, _) = try book.readMembers(of: type)
        let data: (JSONValue, Answer)
        // What only this request is answered with needs no name.
        if SchemaBook.name(of: answer).hasSuffix("Answer") || ObjectIdentifier(answer) == ObjectIdentifier(Done.self) {
            let (object, sample, _) = try book.readMembers(of: answer)
            data = (object, sample)
        } else {
            data = try book.read(answer)
        }
        return Request(
            name: name, parameters: parameters, sample: NodeLine.command(name, sample, id: "1"), answer: data.0,
            answerSample: NodeLine.answer(data.1, id: "1"))
    }

    private static func event(
        _ kind: NodeEvent.Kind, _ book: SchemaBook
    ) throws -> (name: String, data: JSONValue, sample: [UInt8]) {
        let (_, everything, recorder) = try book.readMembers(of: EventData.self)
        guard let event = NodeEvent(kind, everything) else {
            throw SchemaBook.Failure(description: "\(kind) cannot be made")
        }
        let line = NodeLine.event(event)
        let written: [String]
        if case .object(let members) = try Self.data(of: line) { written = members.map(\.name) } else { written = [] }
        let names = recorder.keys.filter { written.contains(JSONCoding.snake($0)) }
        let required = try names.filter { name in
            NodeEvent(kind, try book.readMembers(of: EventData.self, without: name).sample) == nil
        }
        return (kind.rawValue, recorder.object(requiring: required, of: names), line)
    }

    private static func data(of line: [UInt8]) throws -> JSONValue? {
        guard case .object(let members) = try JSONParser.parse(line) else { return nil }
        return members.first { $0.name == "data" }?.value
    }

    // MARK: Files

    /// The files, by their paths in `docs/schema`.
    var files: [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        let version = JSONMember("$schema", .text("https://json-schema.org/draft/2020-12/schema"))
        func add(_ path: String, _ members: [JSONMember]) {
            files[path] = PrettyJSON.text(.object([version] + members))
        }
        add(
            "definitions.json",
            [JSONMember("$defs", .object(definitions.sorted { $0.key < $1.key }.map { JSONMember($0.key, $0.value) }))])
        for request in requests {
            add("requests/\(request.name).json", Self.line("cmd", "cmd", request.name, "params", request.parameters))
            add("answers/\(request.name).json", Self.line("evt", "evt", "response", "data", request.answer))
        }
        for event in events {
            add("events/\(event.name).json", Self.line("evt", "evt", event.name, "data", event.data))
        }
        return files
    }

    private static func line(
        _ type: String, _ key: String, _ name: String, _ contents: String, _ schema: JSONValue
    ) -> [JSONMember] {
        // Parameters may be left out where none is demanded.
        let isOptional: Bool
        if case .object(let members) = schema, key == "cmd" {
            isOptional = !members.contains { $0.name == "required" }
        } else {
            isOptional = false
        }
        let required = ["type", key] + (isOptional ? [] : [contents])
        return [
            JSONMember("title", .text(name)), JSONMember("type", .text("object")),
            JSONMember(
                "properties",
                .object([
                    JSONMember("type", .members(["const": .text(type)])),
                    JSONMember(key, .members(["const": .text(name)])),
                    JSONMember("id", .members(["type": .list([.text("string"), .text("null")])])),
                    JSONMember(contents, isOptional ? SchemaBook.optional(schema) : schema),
                ])),
            JSONMember("required", .list(required.map { .text($0) })),
        ]
    }
}

/// JSON as people read it.
enum PrettyJSON {
    /// The text of a value, with a line feed at its end.
    static func text(_ value: JSONValue) -> [UInt8] { Array((pretty(value, "") + "\n").utf8) }

    private static func pretty(_ value: JSONValue, _ indent: String) -> String {
        let flat = String(decoding: JSONWriter.line(value), as: UTF8.self)
        if flat.utf8.count + indent.utf8.count <= 100 { return flat }
        let inner = indent + "  "
        switch value {
        case .object(let members):
            let lines = members.map { member in
                inner + String(decoding: JSONWriter.line(.text(member.name)), as: UTF8.self) + ": "
                    + pretty(member.value, inner)
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        case .list(let values):
            return "[\n" + values.map { inner + pretty($0, inner) }.joined(separator: ",\n") + "\n\(indent)]"
        default: return flat
        }
    }
}
