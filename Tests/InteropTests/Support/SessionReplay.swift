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

    /// Hands a frame to an initiator and accepts whoever introduces itself.
    ///
    /// - Returns: The machine that waits for the next frame; nil when there is none.
    mutating func step(
        _ machine: consuming InitiatorMachine, _ frame: HandshakeRecording.Frame, at now: Timestamp,
        introduced: (PeerIntroduction) throws -> Void
    ) throws -> InitiatorMachine? {
        switch try machine.receivedFrame(frame.bytes.bytes, at: now) {
        case .proceed(let next):
            return goOn(next)
        case .verifyPeer(let peer):
            try introduced(peer.introduction)
            return goOn(try peer.accept(at: now))
        case .established(let established, sending: let outgoing):
            session = .some(established)
            sent += outgoing
            return nil
        }
    }

    /// The same for a responder, which also resumes what it is asked to.
    mutating func step(
        _ machine: consuming ResponderMachine, _ frame: HandshakeRecording.Frame, at now: Timestamp,
        introduced: (PeerIntroduction) throws -> Void, resolve: (ResumptionRequest) throws -> VerifiedResumption
    ) throws -> ResponderMachine? {
        switch try machine.receivedFrame(frame.bytes.bytes, at: now) {
        case .proceed(let next):
            return goOn(next)
        case .verifyPeer(let peer):
            try introduced(peer.introduction)
            return goOn(try peer.accept(at: now))
        case .resolveResumption(let peer):
            let resumption = try resolve(peer.request)
            return goOn(try peer.accept(resumption, peerCapabilities: .none))
        case .established(let established):
            session = .some(established)
            return nil
        }
    }

    private mutating func goOn(_ machine: consuming InitiatorMachine) -> InitiatorMachine {
        sent += machine.outgoing
        return machine
    }

    private mutating func goOn(_ machine: consuming ResponderMachine) -> ResponderMachine {
        sent += machine.outgoing
        return machine
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
        var machine: InitiatorMachine? = try InitiatorMachine(
            configuration: try configuration(of: .initiator), resuming: try ticket(), random: random,
            encapsulator: try encapsulator(of: .initiator))
        var replay = HandshakeReplay(sent: machine?.outgoing ?? [])
        let frames = handshakeFrames
        for (position, frame) in frames.enumerated() where frame.sender == .responder {
            let next = frames[(position + 1)...].first { $0.sender == .initiator && $0.plain != nil }
            let now = try next.flatMap { try envelope($0).metadata.timestamp } ?? Timestamp(seconds: 0)
            guard let current = machine.take() else { throw ReplayFailure.unexpectedAction }
            machine = try replay.step(current, frame, at: now) { introduction in
                #expect(introduction.identity.spki == responder.spki.bytes)
                #expect(introduction.capabilities.isEmpty)
            }
        }
        return replay
    }

    /// The handshake as the responder. Its answer to the challenge and its own challenge leave in one step, at one time
    /// by our clock, where the recording may have two.
    ///
    /// - Parameter timeOfOwnChallenge: which of the two times the machine is told.
    func replayResponder(_ random: ScriptedRandomSource, timeOfOwnChallenge: Bool) throws -> HandshakeReplay {
        var machine: ResponderMachine? = ResponderMachine(
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
            guard let current = machine.take() else { throw ReplayFailure.unexpectedAction }
            machine = try replay.step(current, frame, at: now) { introduction in
                #expect(introduction.identity.spki == initiator.spki.bytes)
                #expect(introduction.capabilities.isEmpty)
            } resolve: { request in
                let resume = try #require(resume)
                let verified = try request.verified(as: try PublicIdentity(spki: initiator.spki.bytes))
                #expect(verified.sessionID == resume.sessionId)
                #expect(verified.token == resume.token.bytes)
                return verified
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
