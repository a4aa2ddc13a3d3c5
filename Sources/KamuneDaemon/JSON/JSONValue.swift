public import KamuneCrypto

/// A value in JSON (RFC 8259).
///
/// What Foundation offers reads into `Any`, keeps no order of members, and cannot take a secret out of a line without
/// leaving copies of it behind.
public enum JSONValue: Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case flag(Bool)
    /// A number that is written as an integer and fits.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    /// A text.
    case text(String)
    /// The value of a member that is called as secrets are: see ``JSONParser/secretNames``.
    case secret(JSONSecret)
    /// A list.
    case list([JSONValue])
    /// Members in their order.
    case object([JSONMember])

    /// An object of these members, in this order.
    public static func members(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { JSONMember($0.key, $0.value) })
    }

    /// What the value is, for a sentence.
    var kind: String {
        switch self {
        case .null: "null"
        case .flag: "bool"
        case .integer, .number: "number"
        case .text, .secret: "string"
        case .list: "array"
        case .object: "object"
        }
    }
}

/// A member of an object.
public struct JSONMember: Sendable {
    /// Its name.
    public let name: String
    /// Its value.
    public let value: JSONValue

    /// A member.
    public init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

/// A text that nobody else may see. Its bytes are erased when the last reference goes.
public final class JSONSecret: Sendable {
    /// The text in UTF-8.
    public let bytes: SecretBytes

    /// Takes over a secret.
    public init(_ bytes: consuming SecretBytes) {
        self.bytes = bytes
    }
}
