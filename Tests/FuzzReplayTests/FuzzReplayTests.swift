import Foundation
import Testing

/// What the fuzzer has found, and the inputs that it starts from: they run once each, so that whatever was mended stays
/// so, on every system and without a fuzzer. The targets are those of `Fuzz/`, linked in.
@Suite("Fuzz findings and corpus")
struct FuzzReplayTests {
    private static let directory = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fuzz")

    private static func inputs(_ kind: String, of target: FuzzTarget) -> [URL] {
        let directory = directory.appending(path: kind).appending(path: target.rawValue)
        let files = try? FileManager.default.contentsOfDirectory(
            at: directory, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
        return (files ?? []).sorted { $0.path < $1.path }
    }

    @Test("Nothing that was ever found is found again", arguments: FuzzTarget.allCases)
    func findings(_ target: FuzzTarget) throws {
        for file in Self.inputs("Findings", of: target) {
            #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.run([UInt8](Data(contentsOf: file))) }
        }
    }

    @Test("The corpus holds no finding", arguments: FuzzTarget.allCases)
    func corpus(_ target: FuzzTarget) throws {
        let files = Self.inputs("Corpus", of: target)
        #expect(!files.isEmpty)
        for file in files {
            #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.run([UInt8](Data(contentsOf: file))) }
        }
        #expect(throws: Never.self) { try target.run([]) }
    }
}
