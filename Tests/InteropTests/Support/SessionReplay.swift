import KamuneCrypto
import KamuneTestKit
import Testing

@testable import KamuneProtocol

/// Plays one role's side of a recorded handshake with one of our machines.
struct HandshakeReplay: ~Copyable {
    /// What the machine sent, in order.
    var sent: [[UInt8]] = []
    /// The session that it ended in.
    var session: EstablishedSession?

    /// Hands a frame to a machine and answers what it asks, until it waits for the next frame.
    mutating func step<Machine: HandshakeMachine & ~Copyable>(
        _ machine: inout Machine, _ frame: HandshakeRecording.Frame, at now: Timestamp,
        introduced: (PeerIntroduction) throws -> Void,
        resolve: (inout Machine, ResumptionRequest) throws -> HandshakeAction
    ) throws {
        var next: HandshakeAction? = try machine.receivedFrame(frame.bytes.bytes, at: now)
        while let action = next.take() {
            switch consume action {
            case .send(let outgoing):
                sent += outgoing
            case .verifyPeer(let introduction):
                try introduced(introduction)
                next = try machine.acceptPeer(at: now)
            case .resolveResumption(let request):
                next = try resolve(&machine, request)
            case .established(let established, sending: let outgoing):
                session = .some(established)
                sent += outgoing
            }
        }
    }

    /// The session, once there is one.
    mutating func takeSession() throws -> EstablishedSession {
        guard let session = session.take() else { throw ReplayFailure.noSession }
        return session
    }
}

enum ReplayFailure: Error {
    case noSession
    case unexpectedAction
}

extension HandshakeRecording {
    var handshakeFrames: [Frame] { frames.filter { $0.layer != "session" } }
    var sessionFrames: [Frame] { frames.filter { $0.layer == "session" } }

    func ticket() throws -> ResumptionTicket? {
        guard let resume else { return nil }
        return ResumptionTicket(
            sessionID: resume.sessionId, token: resume.token.secret,
            peer: try PublicIdentity(spki: responder.spki.bytes), peerCapabilities: .none)
    }

    /// The handshake as the initiator, told at each step the time that its next frame bears.
    func replayInitiator(_ random: ScriptedRandomSource) throws -> HandshakeReplay {
        var machine = InitiatorMachine(
            configuration: try configuration(of: .initiator), resuming: try ticket(), random: random,
            encapsulator: try encapsulator(of: .initiator))
        var replay = HandshakeReplay(sent: [try machine.start()])
        let frames = handshakeFrames
        for (position, frame) in frames.enumerated() where frame.sender == .responder {
            let next = frames[(position + 1)...].first { $0.sender == .initiator && $0.plain != nil }
            let now = try next.flatMap { try envelope($0).metadata.timestamp } ?? Timestamp(seconds: 0)
            try replay.step(&machine, frame, at: now) { introduction in
                #expect(introduction.identity.spki == responder.spki.bytes)
                #expect(introduction.capabilities.isEmpty)
            } resolve: { _, _ in
                throw ReplayFailure.unexpectedAction
            }
        }
        return replay
    }

    /// The handshake as the responder. Its answer to the challenge and its own challenge leave in one step, at one time
    /// by our clock, where the recording may have two.
    ///
    /// - Parameter timeOfOwnChallenge: which of the two times the machine is told.
    func replayResponder(_ random: ScriptedRandomSource, timeOfOwnChallenge: Bool) throws -> HandshakeReplay {
        var machine = ResponderMachine(
            configuration: try configuration(of: .responder), random: random,
            encapsulator: try encapsulator(of: .responder))
        var replay = HandshakeReplay()
        let frames = handshakeFrames
        for (position, frame) in frames.enumerated() where frame.sender == .initiator {
            let answers = frames[(position + 1)...].prefix { $0.sender == .responder }
            let answer = timeOfOwnChallenge ? answers.last : answers.first
            let now =
                try answer.flatMap { try $0.plain == nil ? nil : envelope($0).metadata.timestamp }
                ?? Timestamp(seconds: 0)
            try replay.step(&machine, frame, at: now) { introduction in
                #expect(introduction.identity.spki == initiator.spki.bytes)
                #expect(introduction.capabilities.isEmpty)
            } resolve: { machine, request in
                let resume = try #require(resume)
                let verified = try request.verified(as: try PublicIdentity(spki: initiator.spki.bytes))
                #expect(verified.sessionID == resume.sessionId)
                #expect(verified.token == resume.token.bytes)
                return try machine.acceptResumption(verified, peerCapabilities: .none)
            }
        }
        return replay
    }

    /// The responder's draws that differ from what was recorded. One is left out that may: the padding of the frame whose
    /// time the machine was not told, since another time may take another number of bytes.
    func responderMisfits(_ random: ScriptedRandomSource, timeOfOwnChallenge: Bool) -> [Int] {
        // Before them a cold handshake draws seed, bump, padding, salt, half an identifier, identifier, bump, padding; a
        // resumed one draws no half identifier. Then each challenge frame draws identifier, bump, padding, nonce.
        let challenges = kind == "cold" ? 8 : 7
        let tolerated = challenges + 2 + (timeOfOwnChallenge ? 0 : 4)
        return random.progress.misfits.filter { $0 != tolerated }
    }

    /// The handshake as either role.
    func replay(_ role: Role, _ random: ScriptedRandomSource) throws -> HandshakeReplay {
        switch role {
        case .initiator: try replayInitiator(random)
        case .responder: try replayResponder(random, timeOfOwnChallenge: false)
        }
    }
}
