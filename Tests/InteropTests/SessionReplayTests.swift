import KamuneCrypto
import KamuneTestKit
import Testing

@testable import KamuneProtocol

/// What follows the recorded handshakes, played by the machine that drives a session: messages, pings and their answers,
/// session data and the end.
@Suite("Recorded sessions of version 0.7")
struct SessionReplayTests {
    /// The programs of 0.7 send session data of their own accord, which our machine never does: there the replay of that
    /// side ends. The numbers say how many of its frames come before.
    struct Case: CustomTestStringConvertible {
        let recording: String
        let role: Role
        let sent: Int
        let received: Int
        var endsGracefully = false

        var testDescription: String { "\(recording), \(role)" }
    }

    static let cases = [
        Case(recording: "cold-1", role: .initiator, sent: 6, received: 3),
        Case(recording: "cold-1", role: .responder, sent: 3, received: 7),
        Case(recording: "cold-2", role: .initiator, sent: 0, received: 0),
        Case(recording: "cold-2", role: .responder, sent: 5, received: 3, endsGracefully: true),
        Case(recording: "cold-3", role: .initiator, sent: 1, received: 1),
        Case(recording: "cold-3", role: .responder, sent: 1, received: 1),
        Case(recording: "resume-1", role: .initiator, sent: 2, received: 2),
        Case(recording: "resume-1", role: .responder, sent: 2, received: 2),
        Case(recording: "resume-2", role: .initiator, sent: 1, received: 2, endsGracefully: true),
        Case(recording: "resume-2", role: .responder, sent: 2, received: 1, endsGracefully: true),
    ]

    @Test("our session sends and takes the recorded frames", arguments: cases)
    func replay(_ test: Case) throws {
        let recording = try #require(HandshakeRecording.established.first { $0.name == test.recording })
        let random = try recording.script(of: test.role, session: .machine)
        var handshake = try recording.replay(test.role, random)
        let clock = ManualClock()
        var player = SessionPlayer(
            machine: SessionMachine(
                try handshake.takeSession().state, agreedCapabilities: .none, configuration: .init(keepAlive: nil),
                at: clock.moment),
            role: test.role, recording: recording, clock: clock)
        try player.play()
        #expect(player.sentCount == test.sent)
        #expect(player.receivedCount == test.received)
        #expect(player.machine.isOpen == !test.endsGracefully)
        let misfits =
            test.role == .initiator
            ? random.progress.misfits : recording.responderMisfits(random, timeOfOwnChallenge: false)
        #expect(misfits == [])
        // Where the replay ran to its end, every recorded draw was made.
        if test.sent + test.received == recording.sessionFrames.count { #expect(random.progress.remainingCount == 0) }
    }

    @Test("the key for relays is answered in kind, and yields the recorded tokens")
    func relayTokens() throws {
        let recording = try #require(HandshakeRecording.established.first { $0.name == "cold-2" })
        let keys = try #require(recording.relayTokens)
        let random = try recording.script(of: .responder, session: .machine)
        var handshake = try recording.replay(.responder, random)
        let now = Moment(wall: Timestamp(seconds: 0), monotonic: .zero)
        var machine = SessionMachine(try handshake.takeSession().state, agreedCapabilities: .none, at: now)
        let question = try #require(recording.sessionFrames.first)
        #expect(question.sender == .initiator && question.routeName == "SessionData")
        guard case .answer = try machine.receivedFrame(question.bytes.bytes, at: now) else {
            throw ReplayFailure.unexpectedAction
        }
        guard let shared = machine.relaySecret() else { throw ReplayFailure.noSession }
        let secret = shared.exposed()
        let theirs = try X25519PrivateKey(seed: keys.iX25519.secret)
        let ours = try X25519PrivateKey(seed: keys.rX25519.secret)
        #expect(
            try SessionData(decoding: try #require(question.data).bytes[...]).fields == [
                "ecdh_pubkey": theirs.publicKey
            ])
        #expect(try theirs.sharedSecret(with: ours.publicKey).exposed() == secret)
        #expect(keys.tokens.count == 3)
        for (index, token) in keys.tokens.enumerated() {
            let derived = HKDFSHA512.expand(
                key: SecretBytes(copying: secret),
                info: Array("kamune/relay-reconnect/v1/".utf8) + [0, 0, 0, UInt8(index)],
                count: 32)
            #expect(derived.exposed() == token.bytes)
        }
    }

    /// The programs of 0.7 would show a late answer to their user as a message.
    @Test("a key for relays that comes after we have spoken is not answered")
    func lateRelayKey() throws {
        let recording = try #require(HandshakeRecording.established.first { $0.name == "cold-2" })
        var handshake = try recording.replay(.responder, try recording.script(of: .responder, session: .machine))
        let clock = ManualClock()
        var machine = SessionMachine(
            try handshake.takeSession().state, agreedCapabilities: .none, configuration: .init(keepAlive: nil),
            at: clock.moment)
        clock.advance(by: .milliseconds(500))
        #expect(try machine.timeElapsed(at: clock.moment) == .nothing)
        _ = try machine.send([1], at: clock.moment)
        let key = try #require(recording.sessionFrames.first).bytes.bytes
        #expect(try machine.receivedFrame(key, at: clock.moment) == .nothing)
        let hasSecret = machine.relaySecret() != nil
        #expect(!hasSecret)
    }

    /// Every recorded frame again, in a session that has just taken it, and with one bit of it changed.
    @Test("a recorded frame is taken once, and only unchanged", arguments: HandshakeRecording.established)
    func repetition(_ recording: HandshakeRecording) throws {
        var handshake = try recording.replay(.responder, try recording.script(of: .responder))
        var state = try handshake.takeSession().state
        var checked = 0
        for frame in recording.sessionFrames where frame.sender == .initiator {
            var altered = frame.bytes.bytes
            altered[altered.count / 2] ^= 1
            #expect(throws: ProtocolError.authenticationFailed(.undecryptable(.session))) {
                _ = try state.open(altered)
            }
            _ = try state.open(frame.bytes.bytes)
            let number = try #require(frame.seq)
            #expect(throws: ProtocolError.peerMisbehaved(.outOfSequence(expected: number + 1, actual: number))) {
                _ = try state.open(frame.bytes.bytes)
            }
            checked += 1
        }
        #expect(checked >= 1)
    }
}

/// Plays one side of a recorded session with our machine.
private struct SessionPlayer: ~Copyable {
    var machine: SessionMachine
    let role: Role
    let recording: HandshakeRecording
    let clock: ManualClock
    var sentCount = 0
    var receivedCount = 0

    init(machine: consuming SessionMachine, role: Role, recording: HandshakeRecording, clock: ManualClock) {
        self.machine = machine
        self.role = role
        self.recording = recording
        self.clock = clock
    }

    mutating func play() throws {
        let frames = recording.sessionFrames
        var answered: Set<Int> = []
        for (position, frame) in frames.enumerated() {
            let envelope = try recording.envelope(frame)
            if frame.sender == role {
                if answered.contains(frame.n) { continue }
                clock.setWall(try #require(envelope.metadata.timestamp))
                guard let sealed = try send(frame, envelope) else { return }
                #expect(sealed == frame.bytes.bytes, "frame \(frame.n)")
                sentCount += 1
            } else {
                // If this is answered, then by our next frame, at the time that it bears.
                let next = frames[(position + 1)...].first { $0.sender == role }
                if let next { clock.setWall(try #require(try recording.envelope(next).metadata.timestamp)) }
                if let answer = try receive(frame, envelope) {
                    let next = try #require(next, "nothing was recorded where we answer frame \(frame.n)")
                    #expect(answer == next.bytes.bytes, "frame \(next.n)")
                    answered.insert(next.n)
                    sentCount += 1
                }
                receivedCount += 1
            }
        }
    }

    /// Sends what was recorded; nil where only the programs of 0.7 would.
    private mutating func send(
        _ frame: HandshakeRecording.Frame, _ envelope: RecordedEnvelope
    ) throws -> [UInt8]? {
        switch envelope.metadata.route {
        case .exchangeMessages:
            if let deadline = machine.heldBackUntil {
                clock.advance(to: .init(elapsed: deadline))
                #expect(try machine.timeElapsed(at: clock.moment) == .nothing)
                clock.setWall(try #require(envelope.metadata.timestamp))
            }
            let payload = Array(try BytesValue.decode(try #require(frame.data).bytes[...]))
            let sealed = try machine.send(payload, at: clock.moment)
            #expect(sealed.metadata == envelope.metadata)
            return sealed.frame
        case .ping:
            return try machine.ping(at: clock.moment)
        case .closeTransport:
            return try machine.close(at: clock.moment)
        case .sessionData:
            return nil
        default:
            throw ReplayFailure.unexpectedAction
        }
    }

    /// Takes a recorded frame; returns our answer to it.
    private mutating func receive(
        _ frame: HandshakeRecording.Frame, _ envelope: RecordedEnvelope
    ) throws -> [UInt8]? {
        let data = try #require(frame.data).bytes
        switch (envelope.metadata.route, try machine.receivedFrame(frame.bytes.bytes, at: clock.moment)) {
        case (.exchangeMessages, .message(let message)):
            #expect(message.metadata == envelope.metadata)
            #expect(message.payload.elementsEqual(try BytesValue.decode(data[...])))
            return nil
        case (.ping, .pinged):
            return try machine.answerPing(at: clock.moment)
        case (.sessionData, .answer(let answer)):
            return answer
        case (.pong, .pong(let roundTrip)):
            #expect(roundTrip == .zero)
            return nil
        case (.sessionData, .nothing), (.closeTransport, .closedByPeer):
            return nil
        case (_, let event):
            Issue.record("frame \(frame.n) was taken for \(event)")
            throw ReplayFailure.unexpectedAction
        }
    }
}
