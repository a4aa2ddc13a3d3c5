import Foundation
import KamuneCrypto
import KamuneTestKit
import Testing

/// The vector files of this test target.
enum Resources {
    static func load<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        try VectorFile.load(
            at: try #require(
                Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Resources"),
                "the test bundle has no \(name).json"))
    }
}

extension PublicIdentity {
    /// An Ed25519 key without its wrapping, as some vectors give it (RFC 8410 §4).
    init(rawEd25519 key: HexBytes) throws {
        let prefix: HexBytes = "302a300506032b6570032100"
        try self.init(spki: prefix.bytes + key.bytes)
    }
}
