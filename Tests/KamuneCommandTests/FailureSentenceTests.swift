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

    /// An error that a command can end with, and its documented code.
    struct Example: Sendable {
        let error: any Error
        let status: KamuneCommand.ExitStatus

        init(_ error: any Error, _ status: KamuneCommand.ExitStatus) {
            self.error = error
            self.status = status
        }
    }

    /// Every error, beside those of the library that another test has.
    private static let examples: [Example] = {
        var examples: [Example] = []
        for (error, status) in storeCases {
            examples.append(Example(error, status))
            // What is wrong with the store is the same when it shows in a conversation.
            examples.append(Example(KamuneError(.system, error.description, cause: error), status))
        }
        let files: [FileFailure] = [
            .exists(path: path, what: "it"), .missing(path: path, what: "thing"),
            .openToOthers(path: path, mode: 0o644),
            .notARegularFile(path: path), .tooLarge(path: path, limit: 5),
            .system(path: path, doing: "read", code: EIO), .unusable(path: path, reason: "it is none."),
        ]
        examples += files.map { Example($0, .failure) }
        examples.append(Example(FileFailure.notText(path: FilePath(bytes: [0xFF])), .usage))
        examples.append(Example(CryptoError.encryptedKey, .failure))
        let measurements: [BenchmarkFailure] = [.handshakeStalled, .sessionEnded, .holderFailed]
        examples += measurements.map { Example($0, .failure) }
        examples.append(Example(SystemError(EMFILE), .failure))
        examples.append(Example(LineSplitter.LineTooLong(number: 2, limit: 10), .failure))
        examples.append(Example(CocoaError(.fileReadUnknown), .failure))
        return examples
    }()

    private static let storeCases: [(StoreError, KamuneCommand.ExitStatus)] = [
        (.notFound(path: "/p"), .failure), (.alreadyExists(path: "/p"), .failure),
        (.wrongPassphrase(failures: 1), .locked), (.passphraseRequired, .locked), (.notProtected, .locked),
        (.emptyPassphrase, .locked), (.notAStore(path: "/p"), .storeUnusable), (.truncated(path: "/p"), .storeUnusable),
        (.damaged(what: "a page"), .storeUnusable), (.newerVersion(found: 9, supported: 1), .storeUnusable),
        (.diskFull, .storeUnusable), (.readOnly(path: "/p"), .storeUnusable),
        (.accessDenied(path: "/p"), .storeUnusable),
        (.inUse(process: 7), .storeUnusable), (.inUse(process: nil), .storeUnusable),
        (.readableByOthers(path: "/p", mode: 0o644), .storeUnusable), (.noSuchRecord(what: "peer"), .failure),
        (.conflict(what: "key"), .failure), (.refused(.unknown), .refusedByUs), (.misuse(reason: "a bug"), .failure),
        (.closed, .storeUnusable),
        (.system(operation: "Opening", reason: "no"), .failure), (.backupNotVerified, .failure),
    ]

    @Test("every error is one sentence, with its documented code", arguments: 0..<examples.count)
    func sentences(index: Int) throws {
        let example = Self.examples[index]
        let failure = Failure(anything: example.error)
        #expect(failure.status == example.status, "\(example.error)")
        let message = try #require(failure.message)
        #expect(message.first?.isUppercase == true || message.first == "“", "\(message)")
        #expect(!message.contains("\n") && message.count > 10, "\(message)")
        #expect(!message.contains("Error Domain"), "\(message)")
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
        for status in KamuneCommand.ExitStatus.allCases where status != .interrupted && status != .terminated {
            #expect(readme.contains("| \(status.rawValue) | \(status.meaning) |"), "\(status)")
        }
    }
}
