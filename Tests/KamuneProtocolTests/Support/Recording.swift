import KamuneCrypto
import KamuneTestSupport
import Synchronization

@testable import KamuneProtocol

/// A handshake that was recorded, and whose sides can be rebuilt in any of its states: their randomness is seeded, and
/// what was encapsulated is replayed. So a hostile frame costs one side's share of a handshake and no more.
struct Recording: Sendable {
    let frames: [SentFrame]
    private let initiator: HandshakeConfiguration
    private let responder: HandshakeConfiguration
    private let ciphertext: [UInt8]
    private let sharedSecret: [UInt8]
    private let resumption: Resumption?

    /// A session to be resumed.
    struct Resumption: Sendable {
        let sessionID: String
        let token: [UInt8]
        let initiator: PublicIdentity
        let responder: PublicIdentity

        func ticket() -> ResumptionTicket {
            ResumptionTicket(
                sessionID: sessionID, token: SecretBytes(copying: token), peer: responder, peerCapabilities: .all)
        }

        var resolution: Resolution { .accept(as: initiator, capabilities: .all) }
    }

    private static let initiatorSeed: UInt64 = 0x1001
    private static let responderSeed: UInt64 = 0x2002

    init(
        initiator: HandshakeConfiguration, responder: HandshakeConfiguration, resumption: Resumption? = nil
    ) throws {
        let recorder = RecordingEncapsulator()
        var pair = try HandshakePair(
            InitiatorMachine(
                configuration: initiator, resuming: resumption?.ticket(), random: SeededRandom(Self.initiatorSeed)),
            ResponderMachine(
                configuration: responder, random: SeededRandom(Self.responderSeed), encapsulator: recorder))
        pair.resolution = resumption?.resolution ?? .refuse
        let established = try pair.establish()
        frames = established.frames
        guard let recorded = recorder.recorded.withLock({ $0 }) else { throw NotEstablished() }
        (ciphertext, sharedSecret) = recorded
        self.initiator = initiator
        self.responder = responder
        self.resumption = resumption
    }

    subscript(_ name: FrameName) -> [UInt8] { frames[name.rawValue].bytes }

    /// The initiator, in the state in which it waits for a frame.
    func initiator(before frame: FrameName) throws -> Side<InitiatorMachine> {
        var side = Side(
            try InitiatorMachine(
                configuration: initiator, resuming: resumption?.ticket(), random: SeededRandom(Self.initiatorSeed),
                encapsulator: replay))
        for earlier in frames where earlier.name.sender == .responder && earlier.name.rawValue < frame.rawValue {
            _ = receive(earlier.bytes, by: &side)
        }
        return side
    }

    /// The responder, in the state in which it waits for a frame.
    func responder(before frame: FrameName) -> Side<ResponderMachine> {
        var side = Side(
            ResponderMachine(
                configuration: responder, random: SeededRandom(Self.responderSeed), encapsulator: replay))
        for earlier in frames where earlier.name.sender == .initiator && earlier.name.rawValue < frame.rawValue {
            _ = receive(earlier.bytes, by: &side)
        }
        return side
    }

    func receive(_ frame: [UInt8], by side: inout Side<InitiatorMachine>) -> [[UInt8]] {
        side.receive(frame) { _ in nil }
    }

    func receive(_ frame: [UInt8], by side: inout Side<ResponderMachine>) -> [[UInt8]] {
        let peer = resumption?.initiator
        return side.receive(frame) { request throws(ProtocolError) in
            guard let peer else { return nil }
            return (try request.verified(as: peer), .all)
        }
    }

    /// How the side that waits for a frame takes other bytes in its place: the error, or nil when it goes on.
    func error(of frame: FrameName, replacedBy bytes: [UInt8]...) throws -> ProtocolError? {
        switch frame.receiver {
        case .initiator:
            var side = try initiator(before: frame)
            for frame in bytes { _ = receive(frame, by: &side) }
            return try side.verdict()
        case .responder:
            var side = responder(before: frame)
            for frame in bytes { _ = receive(frame, by: &side) }
            return try side.verdict()
        }
    }

    private var replay: ReplayEncapsulator {
        ReplayEncapsulator(
            publicKeys: [self[.initiatorKey], Array(self[.exchange].suffix(TunnelSuite.publicKeySize))],
            tunnelKey: [UInt8](repeating: 7, count: 32), ciphertext: ciphertext, sharedSecret: sharedSecret)
    }
}

extension Side where Machine: ~Copyable {
    /// The error, once it is certain that the side is not established.
    consuming func verdict() throws -> ProtocolError? {
        if isEstablished { throw EstablishedByMistake() }
        return error
    }
}

struct EstablishedByMistake: Error {}
struct CameBackToLife: Error {}

/// Remembers the secret of the handshake.
final class RecordingEncapsulator: Encapsulator {
    let recorded = Mutex<(ciphertext: [UInt8], sharedSecret: [UInt8])?>(nil)

    func encapsulateTunnel(to publicKey: [UInt8]) throws(CryptoError) -> TunnelEncapsulation {
        var system = SystemEncapsulator()
        return try system.encapsulateTunnel(to: publicKey)
    }

    func encapsulateMLKEM768(to publicKey: [UInt8]) throws(CryptoError) -> MLKEM768Encapsulation {
        var system = SystemEncapsulator()
        let encapsulation = try system.encapsulateMLKEM768(to: publicKey)
        let ciphertext = encapsulation.ciphertext
        let secret = encapsulation.sharedSecret.exposed
        recorded.withLock { $0 = (ciphertext, secret) }
        return MLKEM768Encapsulation(ciphertext: ciphertext, sharedSecret: SecretBytes(copying: secret))
    }
}

/// Encapsulates what was recorded. Its tunnels lead nowhere: nobody reads what a rebuilt side sends. Keys that were not
/// recorded are judged as in earnest.
struct ReplayEncapsulator: Encapsulator {
    let publicKeys: [[UInt8]]
    let tunnelKey: [UInt8]
    let ciphertext: [UInt8]
    let sharedSecret: [UInt8]

    func encapsulateTunnel(to publicKey: [UInt8]) throws(CryptoError) -> TunnelEncapsulation {
        if !publicKeys.contains(publicKey) {
            var system = SystemEncapsulator()
            _ = try system.encapsulateTunnel(to: publicKey)
        }
        return TunnelEncapsulation(
            encapsulatedKey: [UInt8](repeating: 9, count: TunnelSuite.encapsulatedKeySize),
            sealer: try TunnelSealer(
                key: SecretBytes(copying: tunnelKey), baseNonce: [UInt8](repeating: 0, count: 12)))
    }

    func encapsulateMLKEM768(to publicKey: [UInt8]) throws(CryptoError) -> MLKEM768Encapsulation {
        MLKEM768Encapsulation(ciphertext: ciphertext, sharedSecret: SecretBytes(copying: sharedSecret))
    }
}
