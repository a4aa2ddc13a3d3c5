public import Kamune
public import KamuneStore

/// Why a node did not do what it was asked for. The same in this process and through the socket.
public struct NodeError: Error, Codable, Sendable, Equatable {
    /// The condition, for programs.
    public let code: Code
    /// One sentence for a person. Carries no secret; text from a peer in it may hold any characters.
    public let message: String

    /// An error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The conditions. Later versions may have more, which read as ``other``.
    public enum Code: String, Codable, Sendable, CaseIterable {
        // Of the library: see KamuneError.Code.
        case invalidAddress = "invalid_address"
        case unreachable
        case nameNotResolved = "name_not_resolved"
        case addressUnavailable = "address_unavailable"
        case timedOut = "timed_out"
        case refusedByPeer = "refused_by_peer"
        case refusedByUs = "refused_by_us"
        case resumptionRefused = "resumption_refused"
        case peerBusy = "peer_busy"
        case peerAway = "peer_away"
        case waitingForAcceptance = "waiting_for_acceptance"
        case incompatible
        case protocolViolation = "protocol_violation"
        case authenticationFailed = "authentication_failed"
        case connectionLost = "connection_lost"
        case sessionEnded = "session_ended"
        case messageTooLarge = "message_too_large"
        case misuse
        case cancelled
        case overloaded
        case system

        // Of the store: see StoreError.
        case storeMissing = "store_missing"
        case storeExists = "store_exists"
        case wrongPassphrase = "wrong_passphrase"
        case passphraseRequired = "passphrase_required"
        case storeUnusable = "store_unusable"
        case readOnly = "read_only"
        case noSuchRecord = "no_such_record"
        case conflict
        case keyRefused = "key_refused"
        case fileFailed = "file_failed"

        // Of the node.
        case locked
        case noSuchContact = "no_such_contact"
        case ambiguousContact = "ambiguous_contact"
        case noIdentity = "no_identity"
        case identityExists = "identity_exists"
        case notConnected = "not_connected"
        case noAddress = "no_address"
        case malformed
        case unknownRequest = "unknown_request"
        case invalidParameter = "invalid_parameter"
        case tooLarge = "too_large"
        case tooManyClients = "too_many_clients"
        case incompatibleNode = "incompatible_node"
        case nodeGone = "node_gone"
        case notAvailable = "not_available"
        case other

        /// Reads a code; one that is not known is ``other``.
        public init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            self = Code(rawValue: text) ?? .other
        }
    }
}

extension NodeError: CustomStringConvertible {
    /// The message.
    public var description: String { message }
}

extension NodeError {
    /// An error of the library.
    public init(_ error: KamuneError) {
        if let error = error.cause as? StoreError {
            // What is wrong with the store is the same wherever it shows.
            self.init(error)
        } else {
            self.init(Code(error.code), error.message)
        }
    }

    /// An error of the store.
    public init(_ error: StoreError) {
        self.init(Code(error), error.description)
    }

    static let tooManyClients = NodeError(
        .tooManyClients, "\(NodeServer.maximumClients) others look through this node already.")

    static let gone = NodeError(.nodeGone, "The Kamune that holds the store has ended.")
}

extension NodeError.Code {
    init(_ code: KamuneError.Code) {
        switch code {
        case .invalidAddress: self = .invalidAddress
        case .unreachable: self = .unreachable
        case .nameNotResolved: self = .nameNotResolved
        case .addressUnavailable: self = .addressUnavailable
        case .timedOut: self = .timedOut
        case .refusedByPeer: self = .refusedByPeer
        case .refusedByUs: self = .refusedByUs
        case .peerBusy: self = .peerBusy
        case .peerAway: self = .peerAway
        case .waitingForAcceptance: self = .waitingForAcceptance
        case .resumptionRefused: self = .resumptionRefused
        case .incompatible: self = .incompatible
        case .protocolViolation: self = .protocolViolation
        case .authenticationFailed: self = .authenticationFailed
        case .connectionLost: self = .connectionLost
        case .sessionEnded: self = .sessionEnded
        case .messageTooLarge: self = .messageTooLarge
        case .misuse: self = .misuse
        case .cancelled: self = .cancelled
        case .overloaded: self = .overloaded
        case .system: self = .system
        default: self = .other
        }
    }

    init(_ error: StoreError) {
        switch error {
        case .notFound: self = .storeMissing
        case .alreadyExists: self = .storeExists
        case .wrongPassphrase, .emptyPassphrase, .notProtected: self = .wrongPassphrase
        case .passphraseRequired: self = .passphraseRequired
        case .readOnly: self = .readOnly
        case .notAStore, .notAFile, .truncated, .damaged, .newerVersion, .diskFull, .accessDenied, .inUse,
            .readableByOthers, .closed:
            self = .storeUnusable
        case .noSuchRecord: self = .noSuchRecord
        case .conflict, .keyHasChanged: self = .conflict
        case .refused: self = .keyRefused
        case .cancelled: self = .cancelled
        case .notABackup, .notReplaceable, .system, .backupNotVerified: self = .fileFailed
        case .misuse: self = .misuse
        }
    }
}

/// Runs `body`, and has errors of the library and the store be those of a node.
func asNode<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
) async throws(NodeError) -> Result {
    do {
        return try await body()
    } catch let error as NodeError {
        throw error
    } catch let error as KamuneError {
        throw NodeError(error)
    } catch let error as StoreError {
        throw NodeError(error)
    } catch is CancellationError {
        throw NodeError(.cancelled, "The request was cancelled.")
    } catch {
        throw NodeError(.system, "Something went wrong that should not (\(type(of: error))).")
    }
}
