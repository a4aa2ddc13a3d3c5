import Foundation
import Kamune
import KamuneBenchmark
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneCommand

@Suite("What is said when something fails")
struct FailureSentenceTests {
    private static let path: FilePath = "/p/f"

    /// Every error that a command can end with, and its documented code.
    static let cases: [(name: String, error: any Error, status: ExitStatus)] =
        storeCases.map { ("\($0.0)", $0.0, $0.1) }
        // What is wrong with the store is the same when it shows in a conversation.
        + storeCases.map { ("conversation: \($0.0)", KamuneError(.system, $0.0.description, cause: $0.0), $0.1) }
        + [
            ("exists", FileFailure.exists(path: path, what: "it"), .failure),
            ("missing", FileFailure.missing(path: path, what: "thing"), .failure),
            ("open to others", FileFailure.openToOthers(path: path, mode: 0o644), .failure),
            ("no file", FileFailure.notARegularFile(path: path), .failure),
            ("too large", FileFailure.tooLarge(path: path, limit: 5), .failure),
            ("system", FileFailure.system(path: path, doing: "read", code: EIO), .failure),
            ("unusable", FileFailure.unusable(path: path, reason: "it is none."), .failure),
            ("not text", FileFailure.notText(path: FilePath(bytes: [0xFF])), .usage),
            ("cryptography", CryptoError.encryptedKey, .failure),
            ("handshake stalled", BenchmarkFailure.handshakeStalled, .failure),
            ("session ended", BenchmarkFailure.sessionEnded, .failure),
            ("holder failed", BenchmarkFailure.holderFailed, .failure),
            ("the system", SystemError(EMFILE), .failure),
            ("a long line", LineSplitter.LineTooLong(number: 2, limit: 10), .failure),
            ("something else", CocoaError(.fileReadUnknown), .failure),
        ]

    private static let storeCases: [(StoreError, ExitStatus)] = [
        (.notFound(path: "/p"), .failure), (.alreadyExists(path: "/p"), .failure),
        (.wrongPassphrase(failures: 1), .locked), (.passphraseRequired, .locked), (.notProtected, .locked),
        (.emptyPassphrase, .locked), (.notAStore(path: "/p"), .storeUnusable), (.truncated(path: "/p"), .storeUnusable),
        (.damaged(what: "a page"), .storeUnusable), (.newerVersion(found: 9, supported: 1), .storeUnusable),
        (.diskFull, .storeUnusable), (.readOnly(path: "/p"), .storeUnusable),
        (.accessDenied(path: "/p"), .storeUnusable),
        (.inUse(process: 7), .storeUnusable), (.inUse(process: nil), .storeUnusable),
        (.readableByOthers(path: "/p", mode: 0o644), .storeUnusable), (.noSuchRecord(what: "peer"), .failure),
        (.conflict(what: "key"), .failure), (.misuse(reason: "a bug"), .failure), (.closed, .storeUnusable),
        (.system(operation: "Opening", reason: "no"), .failure), (.backupNotVerified, .failure),
    ]

    @Test("every error is one sentence, with its documented code", arguments: cases.map(\.name))
    func sentences(name: String) throws {
        let example = try #require(Self.cases.first { $0.name == name })
        let failure = Failure(anything: example.error)
        #expect(failure.status == example.status)
        let message = try #require(failure.message)
        #expect(message.first?.isUppercase == true || message.first == "“", "\(message)")
        #expect(!message.contains("\n") && message.count > 10, "\(message)")
        #expect(!message.contains("Error Domain") && !message.contains("KamuneCommand."), "\(message)")
    }

    @Test("who interrupts is told nothing")
    func silent() {
        #expect(Failure(anything: CancellationError()) == Failure(.interrupted, nil))
    }

    @Test("every code stands in the README, with its meaning")
    func documented() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        for status in ExitStatus.allCases where status != .interrupted && status != .terminated {
            #expect(readme.contains("| \(status.rawValue) | \(status.meaning) |"), "\(status)")
        }
    }
}
