import KamuneCrypto

/// The members of an object, read as the Go daemon does: by their names in any case, the last of several, and `null` as if
/// the member were not there.
struct JSONMembers: Sendable {
    private let members: [JSONMember]

    /// A member that is something else than it should be.
    struct Mismatch: Error, CustomStringConvertible {
        let description: String
    }

    /// The members of a value; none of `null`, and nil of anything else.
    init?(_ value: JSONValue) {
        switch value {
        case .object(let members): self.members = members
        case .null: members = []
        default: return nil
        }
    }

    /// A member's value.
    subscript(name: String) -> JSONValue? {
        members.last { $0.name == name || $0.name.utf8.count == name.utf8.count && $0.name.lowercased() == name }?.value
    }

    /// A text, empty when it is not there.
    func text(_ name: String) throws(Mismatch) -> String {
        switch self[name] {
        case nil, .null: ""
        case .text(let text): text
        case let value?: throw mismatch(name, value, "string")
        }
    }

    /// A text that must be there.
    func requiredText(_ name: String) throws(Mismatch) -> String {
        guard let value = self[name], case .text = value else {
            if let value = self[name] { throw mismatch(name, value, "string") }
            throw Mismatch(description: "\(name) is missing")
        }
        return try text(name)
    }

    /// A secret; nil when it is not there.
    func secret(_ name: String) throws(Mismatch) -> JSONSecret? {
        switch self[name] {
        case nil, .null: nil
        case .secret(let secret): secret
        case let value?: throw mismatch(name, value, "string")
        }
    }

    /// Yes or no; no when it is not there.
    func flag(_ name: String) throws(Mismatch) -> Bool {
        switch self[name] {
        case nil, .null: false
        case .flag(let flag): flag
        case let value?: throw mismatch(name, value, "bool")
        }
    }

    /// An integer, 0 when it is not there.
    func integer(_ name: String) throws(Mismatch) -> Int64 {
        switch self[name] {
        case nil, .null: 0
        case .integer(let integer): integer
        case let value?: throw mismatch(name, value, "integer")
        }
    }

    private func mismatch(_ name: String, _ value: JSONValue, _ wanted: String) -> Mismatch {
        Mismatch(description: "\(name) should be \(wanted) and is \(value.kind)")
    }
}
