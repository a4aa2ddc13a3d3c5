import Foundation

/// What the daemon says of its connections in all.
enum ConnectionStatus: String, Sendable {
    case disconnected
    case connecting
    case connected
    case verifying
    case error
}

/// Whom a person is asked about.
enum VerificationMode: Int, Sendable {
    /// Everybody.
    case strict = 0
    /// Whoever is not known.
    case quick = 1
    /// Nobody.
    case autoAccept = 2
}

/// What a program has set.
struct DaemonSettings: Sendable {
    var mode = VerificationMode.quick
    var isIncognito = false
    var fingerprintFormat = "hex"
    var logLevel = LogBuffer.Level.info.rawValue
    var ownName = ""
    /// The names under which they are kept.
    enum Name: String, CaseIterable {
        case mode = "daemon.verification_mode"
        case incognito = "daemon.incognito"
        case fingerprintFormat = "daemon.fingerprint_format"
        case logLevel = "daemon.log_level"
        case ownName = "daemon.local_name"
    }
}

/// The one server that there may be.
enum ServerState {
    case none
    /// Being started, by this task.
    case starting(number: UInt64, Task<Void, Never>)
    /// Running, and accepted from by this task.
    case running(number: UInt64, any DaemonServer, startedAt: Date, Task<Void, Never>)

    var number: UInt64? {
        switch self {
        case .none: nil
        case .starting(let number, _), .running(let number, _, _, _): number
        }
    }

    var isRunning: Bool { if case .running = self { true } else { false } }
}

/// A session that goes on.
struct LiveSession {
    let session: any DaemonSession
    /// What the program calls the peer.
    var name: String
    let isServer: Bool
    /// As the program has said it; empty for the usual one.
    let transport: String
    let remoteAddress: String
    var messageCount: Int
    var lastActivity: Date
    /// Follows what happens in it.
    var pump: Task<Void, Never>?

    /// `SessionInfo` of the Go daemon.
    var info: [JSONMember] {
        var members = [
            JSONMember("session_id", .text(session.id)), JSONMember("peer_name", .text(name)),
            JSONMember("is_server", .flag(isServer)), JSONMember("msg_count", .integer(Int64(messageCount))),
        ]
        if !transport.isEmpty { members.append(JSONMember("transport_type", .text(transport))) }
        if !session.peerVersion.isEmpty { members.append(JSONMember("remote_version", .text(session.peerVersion))) }
        members += [
            JSONMember("cause", .text(isServer ? "incoming" : "dial")),
            // Only the relay limits how long a session may last.
            JSONMember("session_ttl_ns", .integer(0)),
            JSONMember("session_started_at", .text(Instant(session.startedAt).description)),
        ]
        if !remoteAddress.isEmpty { members.append(JSONMember("remote_addr", .text(remoteAddress))) }
        members.append(JSONMember("last_activity", .text(Instant(lastActivity).description)))
        return members
    }
}

/// A fingerprint that a person looks at.
struct PendingVerification {
    enum Answer: Sendable {
        case accepted
        case refused
        case timedOut
        /// The peer does not wait any more, or the daemon ends.
        case gone
    }

    let name: String
    let continuation: CheckedContinuation<Answer, Never>
    let timer: Task<Void, Never>
}
