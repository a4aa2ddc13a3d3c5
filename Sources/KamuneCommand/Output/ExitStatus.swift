import ArgumentParser
import Kamune
import KamuneNode
import KamuneStore
import KamuneTerminal

/// What the exit code says. Scripts depend on these numbers: they never change.
enum ExitStatus: Int32, CaseIterable, Sendable {
    case success = 0
    case failure = 1
    case refusedByPeer = 2
    case refusedByUs = 3
    case unreachable = 4
    case timedOut = 5
    case protocolFailure = 6
    case connectionLost = 7
    case cannotListen = 8
    case locked = 9
    case storeUnusable = 10
    case tooFewFiles = 11
    case queued = 12
    case usage = 64
    case interrupted = 130
    case terminated = 143

    /// What it means.
    var meaning: String {
        switch self {
        case .success: "everything went as it was asked for"
        case .failure: "something else failed, such as a file"
        case .refusedByPeer: "the other side refused us, or has not accepted us yet"
        case .refusedByUs: "we refused the other side"
        case .unreachable: "the other side cannot be reached, or its name is not known"
        case .timedOut: "the other side did not answer in time"
        case .protocolFailure: "the other side broke the protocol, does not fit, or is not who it claims to be"
        case .connectionLost:
            "the connection was lost, or the other side has vanished, without a goodbye; or it said goodbye before it had everything"
        case .cannotListen: "the address to listen on is taken or not ours"
        case .locked: "the passphrase of what is kept is missing or wrong"
        case .storeUnusable: "what is kept cannot be used: it is in use, damaged, open to others, or the disk is full"
        case .tooFewFiles: "the system allows too few open files to begin with"
        case .queued: "the message waits: the other side was not there, or has not confirmed it yet"
        case .usage: "the command was called wrongly"
        case .interrupted: "it was interrupted (Ctrl-C)"
        case .terminated: "it was told to end (SIGTERM)"
        }
    }

    /// The codes and their meanings, for help texts.
    static var table: String {
        let rows = allCases.map { status in
            let code = "\(status.rawValue)"
            let head = String(repeating: " ", count: 5 - code.count) + code + "  "
            let rows = layout.rows(of: TerminalText(status.meaning), firstColumn: head.count)
            return head + rows.joined(separator: "\n")
        }
        return "EXIT CODES:\n" + rows.joined(separator: "\n")
    }

    /// For the narrowest usual terminal, each further row under the first: whoever prints help would begin it at the left.
    private static let layout = TextLayout(columns: 79, mark: String(repeating: " ", count: 7))

    /// The code for an error of the library.
    init(_ error: KamuneError) {
        switch error.code {
        case .refusedByPeer, .peerBusy, .peerAway, .waitingForAcceptance: self = .refusedByPeer
        case .refusedByUs: self = .refusedByUs
        case .unreachable, .nameNotResolved: self = .unreachable
        case .timedOut: self = .timedOut
        case .protocolViolation, .authenticationFailed, .incompatible: self = .protocolFailure
        case .connectionLost, .sessionEnded: self = .connectionLost
        case .addressUnavailable: self = .cannotListen
        case .invalidAddress: self = .usage
        case .cancelled: self = .interrupted
        default: self = .failure
        }
    }

    /// The code for an error of the node.
    init(_ code: NodeError.Code) {
        switch code {
        case .refusedByPeer, .peerBusy, .peerAway, .waitingForAcceptance: self = .refusedByPeer
        case .refusedByUs, .keyRefused: self = .refusedByUs
        case .unreachable, .nameNotResolved, .noAddress, .noSuchContact: self = .unreachable
        case .timedOut: self = .timedOut
        case .protocolViolation, .authenticationFailed, .incompatible: self = .protocolFailure
        case .connectionLost, .sessionEnded, .nodeGone: self = .connectionLost
        case .addressUnavailable: self = .cannotListen
        case .invalidAddress, .invalidParameter: self = .usage
        case .cancelled: self = .interrupted
        case .wrongPassphrase, .passphraseRequired, .locked: self = .locked
        case .storeUnusable, .readOnly, .tooManyClients, .incompatibleNode: self = .storeUnusable
        case .resumptionRefused, .messageTooLarge, .misuse, .overloaded, .system, .storeMissing, .storeExists,
            .noSuchRecord, .conflict, .fileFailed, .ambiguousContact, .noIdentity, .identityExists,
            .notConnected,
            .malformed, .unknownRequest, .tooLarge, .notAvailable, .other:
            self = .failure
        }
    }

    /// The code for an error with a file.
    init(_ error: FileFailure) {
        switch error {
        case .notText: self = .usage
        case .exists, .missing, .openToOthers, .notARegularFile, .notReplaceable, .tooLarge, .system, .unusable:
            self = .failure
        }
    }

    /// The code for an error of the store.
    init(_ error: StoreError) {
        switch error {
        case .wrongPassphrase, .passphraseRequired, .notProtected, .emptyPassphrase: self = .locked
        case .notFound, .alreadyExists, .noSuchRecord, .conflict, .backupNotVerified, .misuse, .system,
            .notABackup, .notReplaceable, .keyHasChanged:
            self = .failure
        case .notAStore, .notAFile, .truncated, .damaged, .newerVersion, .diskFull, .readOnly, .accessDenied, .inUse,
            .readableByOthers, .closed:
            self = .storeUnusable
        case .refused: self = .refusedByUs
        case .cancelled: self = .interrupted
        }
    }
}
