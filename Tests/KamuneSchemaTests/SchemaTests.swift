import Foundation
import KamuneDaemon
import KamuneNode
import Testing

@testable import KamuneSchema

@Suite("Schemas of the node's vocabulary")
struct SchemaTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/schema")

    @Test("the schemas in docs/schema are those of the types; if not: scripts/generate-schema")
    func committed() throws {
        let made = try NodeSchemas().files
        for (path, bytes) in made {
            let file = try? Data(contentsOf: Self.directory.appending(path: path))
            #expect(file.map { [UInt8]($0) } == bytes, "\(path)")
        }
        for folder in ["requests", "answers", "events"] {
            let names = try FileManager.default.contentsOfDirectory(
                atPath: Self.directory.appending(path: folder).path)
            for name in names { #expect(made["\(folder)/\(name)"] != nil, "\(folder)/\(name) is of nothing") }
        }
    }

    @Test("there is one for every request, its answer, and every event")
    func complete() throws {
        let files = try NodeSchemas().files
        for request in NodeVocabulary.requests {
            #expect(files["requests/\(request.name).json"] != nil && files["answers/\(request.name).json"] != nil)
        }
        for kind in NodeEvent.Kind.allCases { #expect(files["events/\(kind.rawValue).json"] != nil) }
        #expect(Set(NodeVocabulary.requests.map { $0.name }).count == NodeVocabulary.requests.count)
    }

    @Test("what the node writes and reads keeps to them")
    func samples() throws {
        let schemas = try NodeSchemas()
        let validator = try SchemaValidator(schemas.files)
        for request in schemas.requests {
            #expect(try validator.problems(in: request.sample, by: "requests/\(request.name).json") == [])
            #expect(try validator.problems(in: request.answerSample, by: "answers/\(request.name).json") == [])
        }
        for event in schemas.events {
            #expect(try validator.problems(in: event.sample, by: "events/\(event.name).json") == [], "\(event.name)")
        }
    }

    /// What may stand in the place of a value.
    private static let others: [JSONValue] = [
        .null, .flag(true), .integer(-1), .integer(300), .number(0.5), .number(1e15), .text("x"), .text(""),
        .list([]), .list([.null]), .object([]), .members(["a": .integer(1)]),
    ]

    @Test(
        "a request is read just when it keeps to its schema",
        arguments: NodeVocabulary.requests.map { $0.name })
    func bad(name: String) throws {
        let schemas = try NodeSchemas()
        let validator = try SchemaValidator(schemas.files)
        let request = try #require(schemas.requests.first { $0.name == name })
        let type = try #require(NodeVocabulary.request(named: name))
        guard case .object(let envelope) = try JSONParser.parse(request.sample) else { return }
        let member = try #require(envelope.first { $0.name == "params" })
        guard case .object(let parameters) = member.value else { return }
        func line(_ parameters: [JSONMember]) -> [UInt8] {
            JSONWriter.line(
                .object(envelope.map { $0.name == "params" ? JSONMember("params", .object(parameters)) : $0 }))
        }
        var lines: [[UInt8]] = []
        for (index, parameter) in parameters.enumerated() {
            var without = parameters
            without.remove(at: index)
            lines.append(line(without))
            for other in Self.others {
                var changed = parameters
                changed[index] = JSONMember(parameter.name, other)
                lines.append(line(changed))
            }
        }
        lines.append(line(parameters + [JSONMember("of_a_later_version", .list([]))]))
        for line in lines {
            let keepsTo = try validator.problems(in: line, by: "requests/\(name).json").isEmpty
            #expect(Self.reads(type, line) == keepsTo, "\(String(decoding: line, as: UTF8.self))")
        }
    }

    private static func reads<Request: NodeRequest>(_ type: Request.Type, _ line: [UInt8]) -> Bool {
        (try? NodeLine.parameters(type, in: line)) != nil
    }

    @Test("the validator finds what is wrong")
    func validator() throws {
        let validator = try SchemaValidator(NodeSchemas().files)
        let good = #"{"type":"cmd","cmd":"contacts.get","id":"1","params":{"contact":"00000000000000ff"}}"#
        #expect(try validator.problems(in: Array(good.utf8), by: "requests/contacts.get.json") == [])
        let bad = [
            good.replacing("\"cmd\",\"cmd\"", with: "\"evt\",\"cmd\""),
            good.replacing("contacts.get", with: "contacts.set"),
            good.replacing("\"1\"", with: "1"), good.replacing("00ff", with: "00fg"),
            good.replacing("\"contact\"", with: "\"other\""), good.replacing("\"00000000000000ff\"", with: "255"), "[]",
        ]
        for line in bad {
            #expect(try validator.problems(in: Array(line.utf8), by: "requests/contacts.get.json") != [], "\(line)")
        }
    }
}
