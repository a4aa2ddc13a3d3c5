import Foundation
import KamuneCrypto
import KamuneDaemon
import KamuneNode
import KamuneStore

/// Finds out how types are written as JSON by having them read: which members they ask for, of which types, and whether they
/// go on without one.
///
/// So what the schemas say is what the node does, whoever wrote the types, and nothing is to be kept in two places.
final class SchemaBook {
    /// Why a type's form cannot be found out.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The forms of types with members, by the names under which others refer to them.
    private(set) var definitions: [String: JSONValue] = [:]
    /// Types that check what they read, and would take nothing that is made up.
    private var leaves: [ObjectIdentifier: (schema: JSONValue, sample: Any)] = [:]
    /// What was found out already.
    private var known: [ObjectIdentifier: (schema: JSONValue, sample: Any)] = [:]

    init() throws {
        func add<Value>(_ sample: Value, _ schema: KeyValuePairs<String, JSONValue>) {
            leaves[ObjectIdentifier(Value.self)] = (.members(schema), sample)
        }
        add("text", ["type": .text("string")])
        add(false, ["type": .text("boolean")])
        add(1, ["type": .text("integer")])
        add(Int64(1), ["type": .text("integer")])
        add(UInt8(0), ["type": .text("integer"), "minimum": .integer(0), "maximum": .integer(255)])
        add(0.5, ["type": .text("number")])
        add(
            Date(timeIntervalSince1970: 1_784_937_909.25),
            [
                "type": .text("string"),
                "pattern": .text(
                    #"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"#),
            ])
        add(
            Bytes([0, 255]),
            [
                "type": .text("string"), "contentEncoding": .text("base64"),
                "pattern": .text("^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"),
            ])
        guard let contact = ContactID("00000000000000ff") else { throw Failure(description: "no contact") }
        add(contact, ["type": .text("string"), "pattern": .text("^[0-9a-f]{16}$")])
        add(
            MessageName(MessageID(stream: 1, number: 2)),
            ["type": .text("string"), "pattern": .text("^[0-9A-Fa-f]{32}$")])
        let key = try Identity.generate().publicKey
        // An Ed25519 key in SPKI has 44 bytes; others have more.
        add(PublicKeyText(key), ["type": .text("string"), "pattern": .text("^[A-Za-z0-9_-]{59,}$")])
        // 32 bytes, or a whole key; colons and spaces between digits are passed over.
        add(KeyFingerprint(key), ["type": .text("string"), "minLength": .integer(43)])
        add(
            SecretText(SecretBytes(copying: Array("secret".utf8))),
            [
                "anyOf": .list([
                    .members(["type": .text("string")]),
                    .members([
                        "type": .text("object"),
                        "properties": .members(["base64": .members(["type": .text("string")])]),
                        "required": .list([.text("base64")]),
                    ]),
                ])
            ])
    }

    /// How a type is written, and a value of it.
    func read<Value: Decodable>(_ type: Value.Type) throws -> (schema: JSONValue, sample: Value) {
        if let leaf = leaves[ObjectIdentifier(type)], let sample = leaf.sample as? Value {
            return (leaf.schema, sample)
        }
        if let list = type as? any ListShape.Type {
            let (schema, sample) = try list.read(with: self)
            return (schema, try Self.cast(sample))
        }
        if let choice = type as? any CaseIterable.Type {
            let (schema, sample) = try Self.read(choice: choice)
            return (schema, try Self.cast(sample))
        }
        if let found = known[ObjectIdentifier(type)], let sample = found.sample as? Value {
            return (found.schema, sample)
        }
        let (object, sample, recorder) = try readMembers(of: type)
        let name = Self.name(of: type)
        if recorder.single == nil { definitions[name] = object }
        let schema = recorder.single ?? .members(["$ref": .text("../definitions.json#/$defs/\(name)")])
        known[ObjectIdentifier(type)] = (schema, sample)
        return (schema, sample)
    }

    /// The members of a type, written out, and a value of it.
    ///
    /// - Parameter omitted: A member that is not there.
    func readMembers<Value: Decodable>(
        of type: Value.Type, without omitted: String? = nil
    ) throws -> (object: JSONValue, sample: Value, recorder: SchemaRecorder) {
        let recorder = SchemaRecorder(self, without: omitted)
        let sample = try Value(from: recorder)
        // Some members are only asked for where another is not there.
        for name in recorder.optionalKeys {
            let other = SchemaRecorder(self, without: name)
            _ = try Value(from: other)
            recorder.add(alternativesOf: other)
        }
        return (recorder.object, sample, recorder)
    }

    private static func read<Choice: CaseIterable>(choice: Choice.Type) throws -> (JSONValue, Any) {
        let names = choice.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
        guard let first = choice.allCases.first, names.count == choice.allCases.count else {
            throw Failure(description: "\(choice) has no names")
        }
        return (.members(["type": .text("string"), "enum": .list(names.map { .text($0) })]), first)
    }

    private static func cast<Value>(_ sample: Any) throws -> Value {
        guard let value = sample as? Value else {
            throw Failure(description: "\(type(of: sample)) is no \(Value.self)")
        }
        return value
    }

    /// The type's name without the module's.
    static func name(of type: any Any.Type) -> String {
        String(reflecting: type).split(separator: ".").dropFirst().joined(separator: ".")
    }

    /// What may also be null, which means the same as to leave it out.
    static func optional(_ schema: JSONValue) -> JSONValue {
        guard case .object(let members) = schema, !members.contains(where: { $0.name == "enum" }),
            let index = members.firstIndex(where: { $0.name == "type" })
        else { return .members(["anyOf": .list([schema, .members(["type": .text("null")])])]) }
        var changed = members
        changed[index] = JSONMember("type", .list([members[index].value, .text("null")]))
        return .object(changed)
    }
}

/// What is written as a list.
private protocol ListShape {
    static func read(with book: SchemaBook) throws -> (JSONValue, Any)
}

extension Array: ListShape where Element: Decodable {
    fileprivate static func read(with book: SchemaBook) throws -> (JSONValue, Any) {
        let (schema, sample) = try book.read(Element.self)
        return (.members(["type": .text("array"), "items": schema]), [sample])
    }
}

extension Set: ListShape where Element: Decodable {
    fileprivate static func read(with book: SchemaBook) throws -> (JSONValue, Any) {
        let (schema, sample) = try book.read(Element.self)
        return (.members(["type": .text("array"), "items": schema]), Set([sample]))
    }
}
