import Foundation
import KamuneCrypto
import KamuneTestSupport
import Testing

/// Loads vector files: our own from the test bundle, the public suites from where they are kept beside the repository.
enum Vectors {
    static func load<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Resources"),
            "the test bundle has no \(name).json")
        return try VectorFile.load(at: url)
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
        try VectorFile.load(at: try #require(standardFolder).appendingPathComponent("\(name).json"))
    }
}

/// A family of files of the Wycheproof project.
struct Wycheproof<Group: Decodable>: Decodable {
    let testGroups: [Group]
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
