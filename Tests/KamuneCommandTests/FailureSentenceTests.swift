import Foundation
import Kamune
import KamuneBenchmark
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal
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
            .notARegularFile(path: path), .notReplaceable(path: path), .tooLarge(path: path, limit: 5),
            .system(path: path, doing: "read", code: EIO), .unusable(path: path, reason: "it is none."),
        ]
        examples += files.map { Example($0, .failure) }
        examples.append(Example(FileFailure.notText(path: FilePath(bytes: [0xFF])), .usage))
        examples.append(Example(CryptoError.encryptedKey, .failure))
        examples += troubles.map { Example($0, $1) }
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
        (.notAFile(path: "/p", kind: .device), .storeUnusable),
        (.notABackup(path: "/p"), .failure), (.keyHasChanged, .failure), (.notReplaceable(path: "/p"), .failure),
    ]

    private static let troubles: [(Trouble, KamuneCommand.ExitStatus)] = [
        (.noSuchPeer(TerminalText("x")), .unreachable),
        (.ambiguousPeer(TerminalText("x"), count: 2, among: ["a", "b"]), .failure),
        (.noSuchConversation(3), .failure), (.conversationWithAnother(3, peer: TerminalText("x")), .failure),
        (.noIdentity, .failure), (.noIdentityFile(path), .failure), (.identityExists, .failure),
        (.identityKnown, .failure), (.otherIdentity, .usage), (.reconnectionOfAnother, .usage),
        (.noSuchRequest(TerminalText("2")), .failure),
        (.requestNeedsFingerprint, .usage), (.nothingToSend, .usage),
        (.blockedPeer(TerminalText("x")), .refusedByUs), (.unacceptedPeer(TerminalText("x")), .refusedByUs),
        (.noFingerprint(TerminalText("x")), .usage), (.addressNeedsKey, .usage),
        (.noSuchPeerOrAddress(TerminalText("x"), nearest: nil), .unreachable),
        (.noSuchPeerOrAddress(TerminalText("x"), nearest: TerminalText("y")), .unreachable),
        (.noSuchPeer(TerminalText("x"), nearest: TerminalText("y")), .unreachable),
        (.holderSilent(process: 7), .storeUnusable), (.holderSilent(process: nil), .storeUnusable),
        (.holderHidden(process: 7, directory: "/p"), .storeUnusable),
        (.holderHidden(process: nil, directory: "/p"), .storeUnusable),
        (.stopsSlowly(process: 7, seconds: 20), .storeUnusable),
        (.runsAlready(process: 7), .storeUnusable), (.backgroundFailed(TerminalText("it has ended")), .failure),
        (.programUnknown, .failure), (.queued(TerminalText("x"), willBeSent: true), .queued),
        (.queued(TerminalText("x"), willBeSent: false), .queued), (.messageTooLong(limit: 9), .failure),
        (.nothingKept(at: "/p"), .failure), (.storeExists(at: "/p"), .failure),
        (.backupAtTerminal, .usage),
        (.passphraseNeeded(of: "the backup", variable: "V", option: "--o"), .locked),
        (.storePassphraseNeeded(variable: "V"), .locked), (.passphraseEmpty(of: "the backup"), .locked),
        (.passphraseTooLong(limit: 9), .locked),
        (.passphraseUnreadable(descriptor: 3, SystemError(EBADF)), .locked),
        (.terminalSilent(SystemError(EIO)), .locked), (.noPassphraseChosen, .locked), (.backupPassphraseWrong, .locked),
        (.nobodyToAsk(question: "Delete it?"), .usage), (.declined, .failure),
        (.undelivered(1, isKept: true), .connectionLost), (.undelivered(2, isKept: false), .connectionLost),
        (.maybeLost(2), .connectionLost), (.endedEarly, .connectionLost), (.demoListenerClosed, .failure),
        (.demoSessionEnded, .connectionLost), (.demoWithoutGoodbye, .connectionLost),
        (.tooFewFiles(limit: 10, needed: 20, advised: 256), .tooFewFiles), (.noProcessFiles, .failure),
    ]

    /// One number for each case, so that this does not compile, or the test below fails, when one is left out.
    private static func number(of trouble: Trouble) -> Int {
        switch trouble {
        case .noSuchPeer: 0
        case .ambiguousPeer: 1
        case .noSuchConversation: 2
        case .conversationWithAnother: 3
        case .noIdentity: 4
        case .noIdentityFile: 5
        case .identityExists: 6
        case .identityKnown: 7
        case .nothingKept: 8
        case .storeExists: 9
        case .backupAtTerminal: 10
        case .passphraseNeeded: 11
        case .storePassphraseNeeded: 12
        case .passphraseEmpty: 13
        case .passphraseTooLong: 14
        case .passphraseUnreadable: 15
        case .terminalSilent: 16
        case .noPassphraseChosen: 17
        case .backupPassphraseWrong: 18
        case .nobodyToAsk: 19
        case .declined: 20
        case .undelivered: 21
        case .maybeLost: 22
        case .endedEarly: 23
        case .demoListenerClosed: 24
        case .demoSessionEnded: 25
        case .demoWithoutGoodbye: 26
        case .tooFewFiles: 27
        case .noProcessFiles: 28
        case .otherIdentity: 29
        case .noSuchRequest: 30
        case .noFingerprint: 31
        case .addressNeedsKey: 32
        case .noSuchPeerOrAddress: 33
        case .holderSilent: 34
        case .runsAlready: 35
        case .backgroundFailed: 36
        case .programUnknown: 37
        case .queued: 38
        case .messageTooLong: 39
        case .requestNeedsFingerprint: 40
        case .nothingToSend: 41
        case .blockedPeer: 42
        case .unacceptedPeer: 43
        case .holderHidden: 44
        case .stopsSlowly: 45
        case .reconnectionOfAnother: 46
        }
    }

    @Test("no trouble of a command's own is left out here, and no two say the same")
    func complete() {
        #expect(Set(Self.troubles.map { Self.number(of: $0.0) }) == Set(0...46))
        #expect(Set(Self.troubles.map(\.0.sentence)).count == Self.troubles.count)
    }

    @Test("every error is one sentence, with its documented code", arguments: 0..<examples.count)
    func sentences(index: Int) throws {
        let example = Self.examples[index]
        let failure = Failure(anything: example.error)
        #expect(failure.status == example.status, "\(example.error)")
        let message = try #require(failure.message)
        #expect(message.first.map { $0.isUppercase || $0.isNumber || $0 == "“" } == true, "\(message)")
        #expect(!message.contains("\n") && message.count > 10, "\(message)")
        #expect(!message.contains("Error Domain") && !message.contains("NSError"), "\(message)")
    }

    @Test("a conversation whose peer cannot be reached again has lost its connection, whatever was in the way")
    func afterConnecting() {
        let codes: [(NodeError.Code, KamuneCommand.ExitStatus)] = [
            (.unreachable, .connectionLost), (.nameNotResolved, .connectionLost), (.timedOut, .connectionLost),
            (.refusedByPeer, .connectionLost), (.connectionLost, .connectionLost),
            (.authenticationFailed, .protocolFailure), (.refusedByUs, .refusedByUs),
        ]
        for (code, status) in codes {
            let failure = Failure(afterConnecting: NodeError(code, "It happened."))
            #expect(failure == Failure(status, "It happened."))
        }
    }

    @Test(
        "a listener says what others type, over either transport",
        arguments: [
            ("0.0.0.0:9000", "YOUR-HOST:9000"), ("[::]:9000", "YOUR-HOST:9000"), (":9000", "YOUR-HOST:9000"),
            ("udp://:9000", "udp://YOUR-HOST:9000"), ("udp://[::]:9000", "udp://YOUR-HOST:9000"),
            ("udp://127.0.0.1:9000", "udp://127.0.0.1:9000"), ("example.org:9000", "example.org:9000"),
        ])
    func hint(address: String, hint: String) {
        #expect(ListenCommand.hint(address) == hint)
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
