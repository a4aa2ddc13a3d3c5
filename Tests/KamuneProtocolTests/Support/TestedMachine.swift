@testable import KamuneProtocol

/// How a test answers a request to resume: nil refuses it.
typealias Resolver = (ResumptionRequest) throws(ProtocolError) -> (VerifiedResumption, CapabilitySet)?

/// What tests need of either role of a handshake.
protocol TestedMachine: ~Copyable, Sendable {
    /// The frames to send before the next one is due.
    var outgoing: [[UInt8]] { get }
    var isTunnelEstablished: Bool { get }
    var peerIsDeciding: Bool { get }

    /// Takes a frame, and accepts whoever introduces itself.
    consuming func take(
        _ frame: [UInt8], introduced: (PeerIntroduction) -> Void, resolve: Resolver
    ) throws(ProtocolError) -> Taken<Self>
}

/// What became of a machine.
enum Taken<Machine: ~Copyable>: ~Copyable {
    case waits(Machine)
    case refused(sending: [UInt8])
    case established(EstablishedSession, sending: [[UInt8]])
}

extension InitiatorMachine: TestedMachine {
    consuming func take(
        _ frame: [UInt8], introduced: (PeerIntroduction) -> Void, resolve: Resolver
    ) throws(ProtocolError) -> Taken<InitiatorMachine> {
        switch try receivedFrame(frame, at: Fixture.now) {
        case .proceed(let next):
            return .waits(next)
        case .verifyPeer(let peer):
            introduced(peer.introduction)
            return .waits(try peer.accept(at: Fixture.now))
        case .established(let session, sending: let frames):
            return .established(session, sending: frames)
        }
    }
}

extension ResponderMachine: TestedMachine {
    consuming func take(
        _ frame: [UInt8], introduced: (PeerIntroduction) -> Void, resolve: Resolver
    ) throws(ProtocolError) -> Taken<ResponderMachine> {
        switch try receivedFrame(frame, at: Fixture.now) {
        case .proceed(let next):
            return .waits(next)
        case .verifyPeer(let peer):
            introduced(peer.introduction)
            return .waits(try peer.accept(at: Fixture.now))
        case .resolveResumption(let peer):
            guard let (resumption, capabilities) = try resolve(peer.request) else {
                return .refused(sending: try peer.refuse())
            }
            return .waits(try peer.accept(resumption, peerCapabilities: capabilities))
        case .established(let session):
            return .established(session, sending: [])
        }
    }
}
