#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Files of test vectors: JSON whose names are in snake case.
public enum VectorFile {
    /// Reads a file.
    ///
    /// - Throws: What reading and decoding throw.
    public static func load<Value: Decodable>(_ type: Value.Type = Value.self, at url: URL) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: Data(contentsOf: url))
    }
}
