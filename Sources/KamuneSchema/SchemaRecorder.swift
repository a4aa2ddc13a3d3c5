import KamuneDaemon
import KamuneNode

/// Is read by one type, and notes what the type asks for.
final class SchemaRecorder: Decoder {
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [:]
    /// How the type is written that has no members.
    private(set) var single: JSONValue?

    private let book: SchemaBook
    private let omitted: String?
    private var members: [(name: String, schema: JSONValue, isOptional: Bool)] = []
    /// The member of which the type has asked whether it is there.
    private var asked: String?

    init(_ book: SchemaBook, without omitted: String? = nil) {
        self.book = book
        self.omitted = omitted
    }

    /// The names of all members, as JSON has them.
    var names: [String] { members.map { JSONCoding.snake($0.name) } }
    /// The names of all members, as the type has them.
    var keys: [String] { members.map(\.name) }
    /// The names of the members that may be left out.
    var optionalKeys: [String] { members.filter(\.isOptional).map(\.name) }

    /// Takes over what another has been asked for.
    func add(alternativesOf other: SchemaRecorder) {
        for member in other.members where !keys.contains(member.name) { members.append(member) }
    }

    /// The form of a type with members.
    var object: JSONValue { object(requiring: members.filter { !$0.isOptional }.map(\.name), of: members.map(\.name)) }

    /// The form of what has some of the members, and must have those of others.
    func object(requiring required: [String], of names: [String]) -> JSONValue {
        var fields: [JSONMember] = [JSONMember("type", .text("object"))]
        fields.append(
            JSONMember(
                "properties",
                .object(
                    members.filter { names.contains($0.name) }.map { member in
                        JSONMember(
                            JSONCoding.snake(member.name),
                            required.contains(member.name) ? member.schema : SchemaBook.optional(member.schema))
                    })))
        if !required.isEmpty {
            fields.append(JSONMember("required", .list(required.map { .text(JSONCoding.snake($0)) })))
        }
        return .object(fields)
    }

    func container<Key>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Members<Key>(recorder: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        throw SchemaBook.Failure(description: "a list of unlike things has no schema")
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { Single(recorder: self) }

    private func isThere(_ name: String) -> Bool {
        asked = name
        return name != omitted
    }

    private func take<Value: Decodable>(_ type: Value.Type, named name: String) throws -> Value {
        let (schema, sample) = try book.read(type)
        members.append((name, schema, asked == name))
        return sample
    }

    private func take<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (schema, sample) = try book.read(type)
        single = schema
        return sample
    }

    private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let recorder: SchemaRecorder
        let codingPath: [any CodingKey] = []
        let allKeys: [Key] = []

        /// Asked only by who goes on without.
        func contains(_ key: Key) -> Bool { recorder.isThere(key.stringValue) }
        func decodeNil(forKey key: Key) -> Bool { false }
        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            try recorder.take(type, named: key.stringValue)
        }

        func nestedContainer<Nested>(
            keyedBy type: Nested.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> { throw Self.failure }
        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw Self.failure }
        func superDecoder() throws -> any Decoder { throw Self.failure }
        func superDecoder(forKey key: Key) throws -> any Decoder { throw Self.failure }

        private static var failure: SchemaBook.Failure { .init(description: "what has no type has no schema") }
    }

    private struct Single: SingleValueDecodingContainer {
        let recorder: SchemaRecorder
        let codingPath: [any CodingKey] = []

        func decodeNil() -> Bool { false }
        func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try recorder.take(type) }
    }
}
