/// Everything that takes bytes from outside: each parser, and the state machines, and what is read from files that somebody
/// else may have made.
enum FuzzTarget: String, CaseIterable, Sendable {
    case envelope
    case metadata
    case introduction
    case succession
    case handshakeMessage = "handshake-message"
    case resumption
    case sessionData = "session-data"
    case spki
    case pkcs8
    case pem
    case address
    case frames
    case datagrams
    case relayFrame = "relay-frame"
    case initiator
    case responder
    case session
    case delivery
    case conversation
    case backup
    case records
    case search
    case terminal
    case daemon
    case traversal

    /// Feeds one input to the target.
    ///
    /// - Throws: ``Finding`` when a promise is broken that is more than not to trap.
    func run(_ input: [UInt8]) throws {
        switch self {
        case .envelope: try fuzzEnvelope(input)
        case .metadata: try fuzzMetadata(input)
        case .introduction: try fuzzIntroduction(input)
        case .succession: try fuzzSuccession(input)
        case .handshakeMessage: try fuzzHandshakeMessage(input)
        case .resumption: try fuzzResumption(input)
        case .sessionData: try fuzzSessionData(input)
        case .spki: try fuzzPublicKey(input)
        case .pkcs8: try fuzzPrivateKey(input)
        case .pem: try fuzzPEM(input)
        case .address: try fuzzAddress(input)
        case .frames: try fuzzFrames(input)
        case .datagrams: try fuzzDatagrams(input)
        case .relayFrame: try fuzzRelayFrame(input)
        case .initiator: try fuzzInitiator(input)
        case .responder: try fuzzResponder(input)
        case .session: try fuzzSession(input)
        case .delivery: try fuzzDelivery(input)
        case .conversation: try fuzzConversation(input)
        case .backup: try fuzzBackup(input)
        case .records: try fuzzRecords(input)
        case .search: try fuzzSearch(input)
        case .terminal: try fuzzTerminal(input)
        case .daemon: try fuzzDaemon(input)
        case .traversal: try fuzzTraversal(input)
        }
    }
}

/// A promise that was broken.
struct Finding: Error, CustomStringConvertible {
    let description: String
}

/// Checks a promise.
func expect(_ condition: Bool, _ promise: @autoclosure () -> String) throws {
    if !condition { throw Finding(description: promise()) }
}
