import Foundation
import KamuneCrypto
import Testing

/// Loads vector files: our own from the test bundle, the public suites from where they are kept beside the repository.
enum Vectors {
    static func load<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Resources"),
            "the test bundle has no \(name).json")
        return try decode(url)
    }

    /// The folder of the public suites: from the environment, or next to the package. Without it the tests that stand on
    /// them are skipped.
    static let standardFolder: URL? = {
        let fileManager = FileManager.default
        var candidates: [URL] = []
        if let path = ProcessInfo.processInfo.environment["KAMUNE_STANDARD_VECTORS"] {
            candidates.append(URL(fileURLWithPath: path, isDirectory: true))
        }
        let packageRoot = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        candidates.append(packageRoot.deletingLastPathComponent().appendingPathComponent("shared/vectors/standard"))
        return candidates.first { fileManager.fileExists(atPath: $0.path) }
    }()

    static var haveStandard: Bool { standardFolder != nil }

    static func loadStandard<Value: Decodable>(_ type: Value.Type = Value.self, _ name: String) throws -> Value {
        try decode(try #require(standardFolder).appendingPathComponent("\(name).json"))
    }

    private static func decode<Value: Decodable>(_ url: URL) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: Data(contentsOf: url))
    }
}

/// Bytes that a vector file gives in hexadecimal.
struct Hex: Decodable, Sendable, ExpressibleByStringLiteral {
    let bytes: [UInt8]

    init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let bytes = Self.parse(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not hexadecimal"))
        }
        self.bytes = bytes
    }

    init(stringLiteral text: String) {
        guard let bytes = Self.parse(text) else { preconditionFailure("not hexadecimal: \(text)") }
        self.bytes = bytes
    }

    private static func parse(_ text: String) -> [UInt8]? {
        let digits = text.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") }
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x57
        case 0x41...0x46: digit - 0x37
        default: nil
        }
    }

    var secret: SecretBytes { SecretBytes(copying: bytes) }
}

extension SecretBytes {
    /// For comparisons in tests, where nothing is secret.
    borrowing func exposed() -> [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

/// A family of files of the Wycheproof project.
struct Wycheproof<Group: Decodable>: Decodable {
    let testGroups: [Group]
}

/// Deterministic bytes (SplitMix64), for tests only.
struct SeededRandom: RandomSource, RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: next()) }
    }
}

/// What a call throws, or nil: `#expect(throws:)` does not work on results that cannot be copied.
func thrownError(_ body: () throws -> Void) -> CryptoError? {
    do {
        try body()
        return nil
    } catch {
        return error as? CryptoError
    }
}
