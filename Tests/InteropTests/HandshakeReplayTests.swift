import KamuneCrypto
import KamuneTestKit
import Testing

@testable import KamuneProtocol

/// The recorded conversations, played again from each side: given the recorded randomness and times, our machines send
/// exactly the recorded bytes, and they take the recorded bytes of the other side.
@Suite("Recorded handshakes of version 0.7")
struct HandshakeReplayTests {
    @Test("the file is complete, and its parts fit together")
    func complete() throws {
        let file = try HandshakeRecording.file.get()
        #expect(file.sessions.map(\.name) == ["cold-1", "cold-2", "cold-3", "resume-1", "resume-2", "resume-rejected"])
        #expect(file.sessions.map(\.kind).filter { $0 == "cold" }.count == 3)
        #expect(HandshakeRecording.established.count == 5)
        #expect(file.sessions.map(\.frames.count) == [24, 19, 13, 15, 14, 5])
        let first = ["hpke_public", "hpke_enc_public", "hpke_enc", "tunnel", "tunnel"]
        for recording in file.sessions {
            #expect(recording.frames.map(\.layer).starts(with: first))
            #expect(recording.frames.filter { $0.layer == "tunnel+session" }.count == (recording.isEstablished ? 4 : 0))
            for frame in recording.frames { #expect(frame.bytes.bytes.count == frame.size) }
        }
        // Each resumption presents a token of the session before it.
        let byName = Dictionary(uniqueKeysWithValues: file.sessions.map { ($0.name, $0) })
        for (name, base, index) in [
            ("resume-1", "cold-3", 0), ("resume-2", "resume-1", 5), ("resume-rejected", "cold-3", 0),
        ] {
            let resume = try #require(byName[name]?.resume)
            let secrets = try #require(byName[base]).secrets
            #expect(resume.sessionId == secrets.id)
            #expect(resume.token == secrets.resumptionTokens?[index])
        }
    }

    @Test("the initiator sends the recorded bytes", arguments: HandshakeRecording.established)
    func initiator(_ recording: HandshakeRecording) throws {
        let random = try recording.script(of: .initiator)
        var replay = try recording.replayInitiator(random)
        let recorded = recording.handshakeFrames.filter { $0.sender == .initiator }
        // Two of the exchange, two of introduction and handshake, two challenges.
        #expect(recorded.count == 6)
        #expect(replay.sent.map { HexBytes($0) } == recorded.map(\.bytes))
        let session = try replay.takeSession()
        try check(session, recording)
        try replaySession(session, .initiator, recording)
        #expect(random.progress.isComplete, "draws \(random.progress.misfits) differ from what was recorded")
    }

    /// The conversation is played twice, with either time of the two frames that leave together, and each of them compared
    /// in the run that has its time.
    @Test("the responder sends the recorded bytes", arguments: HandshakeRecording.established, [false, true])
    func responder(_ recording: HandshakeRecording, timeOfOwnChallenge: Bool) throws {
        let random = try recording.script(of: .responder)
        var replay = try recording.replayResponder(random, timeOfOwnChallenge: timeOfOwnChallenge)
        let recorded = recording.handshakeFrames.filter { $0.sender == .responder }
        #expect(
            recorded.map(\.routeName) == [
                nil, recorded[1].routeName, "AcceptHandshake", "VerifyChallenge", "SendChallenge",
            ])
        #expect(replay.sent.count == recorded.count)
        let skipped = timeOfOwnChallenge ? "VerifyChallenge" : "SendChallenge"
        var compared = 0
        for (sent, frame) in zip(replay.sent, recorded) where frame.routeName != skipped {
            #expect(sent == frame.bytes.bytes, "frame \(frame.n)")
            compared += 1
        }
        #expect(compared == 4)
        let session = try replay.takeSession()
        try check(session, recording)
        try replaySession(session, .responder, recording)
        #expect(random.progress.remainingCount == 0)
        #expect(recording.responderMisfits(random, timeOfOwnChallenge: timeOfOwnChallenge) == [])
    }

    @Test("a refused resumption, from both sides")
    func refused() throws {
        let recording = try #require(HandshakeRecording.all.first { $0.name == "resume-rejected" })
        let frames = recording.frames
        #expect(frames.count == 5)

        let initiatorRandom = try recording.script(of: .initiator)
        let initiator = try InitiatorMachine(
            configuration: try recording.configuration(of: .initiator), resuming: try recording.ticket(),
            random: initiatorRandom, encapsulator: try recording.encapsulator(of: .initiator))
        #expect(initiator.outgoing == [frames[0].bytes.bytes])
        guard case .proceed(let asking) = try initiator.receivedFrame(frames[1].bytes.bytes, at: .init(seconds: 0))
        else { throw ReplayFailure.unexpectedAction }
        #expect(asking.outgoing == [frames[2].bytes.bytes, frames[3].bytes.bytes])
        do throws(ProtocolError) {
            _ = try asking.receivedFrame(frames[4].bytes.bytes, at: .init(seconds: 0))
            Issue.record("a refusal was taken for consent")
        } catch {
            #expect(error == .refused(.resumption(reason: "resumption not available")))
        }
        #expect(initiatorRandom.progress.isComplete)

        let responderRandom = try recording.script(of: .responder)
        let responder = ResponderMachine(
            configuration: try recording.configuration(of: .responder), random: responderRandom,
            encapsulator: try recording.encapsulator(of: .responder))
        guard case .proceed(let exchanging) = try responder.receivedFrame(frames[0].bytes.bytes, at: .init(seconds: 0))
        else { throw ReplayFailure.unexpectedAction }
        #expect(exchanging.outgoing == [frames[1].bytes.bytes])
        guard case .proceed(let tunnelled) = try exchanging.receivedFrame(frames[2].bytes.bytes, at: .init(seconds: 0)),
            case .resolveResumption(let peer) = try tunnelled.receivedFrame(
                frames[3].bytes.bytes, at: .init(seconds: 0))
        else { throw ReplayFailure.unexpectedAction }
        let verified = try peer.request.verified(as: try PublicIdentity(spki: recording.initiator.spki.bytes))
        #expect(verified.token == recording.resume?.token.bytes)
        let refusal = try peer.refuse()
        #expect(refusal == frames[4].bytes.bytes)
        #expect(responderRandom.progress.isComplete)
    }

    /// That the replay is sensitive: other randomness, or another name, gives other bytes.
    @Test("other randomness gives other bytes")
    func sensitive() throws {
        let recording = try #require(HandshakeRecording.established.first)
        let machine = try InitiatorMachine(
            configuration: try recording.configuration(of: .initiator), random: ScriptedRandomSource([[1, 2, 3]]),
            encapsulator: try recording.encapsulator(of: .initiator))
        #expect(machine.outgoing != [recording.frames[0].bytes.bytes])
        // What the recorded responder sent back is for another key, so the tunnel opens but leads nowhere.
        guard
            case .proceed(let next) = try machine.receivedFrame(recording.frames[1].bytes.bytes, at: .init(seconds: 0))
        else { throw ReplayFailure.unexpectedAction }
        do throws(ProtocolError) {
            _ = try next.receivedFrame(recording.frames[4].bytes.bytes, at: .init(seconds: 0))
            Issue.record("the tunnel led somewhere")
        } catch {
            #expect(error == .authenticationFailed(.undecryptable(.tunnel)))
        }
    }

    // MARK: Parts

    private func check(_ session: borrowing EstablishedSession, _ recording: HandshakeRecording) throws {
        #expect(session.state.id == recording.secrets.id)
        #expect(session.isResumed == (recording.kind == "resumed"))
        #expect(session.peer.capabilities.isEmpty)
        #expect((session.peer.introduction == nil) == session.isResumed)
        let root = session.resumptionRoot.withUnsafeBytes { Array($0) }
        #expect(root == recording.secrets.resumptionRoot?.bytes)
        let tokens = try #require(recording.secrets.resumptionTokens)
        #expect(tokens.count == ProtocolConstants.resumptionTokenCount)
        for (index, token) in tokens.enumerated() {
            #expect(session.resumptionRoot.token(at: UInt32(index)).exposed() == token.bytes)
        }
    }

    /// The rest of the conversation: what `role` sent is sealed to the same bytes, and what came to it opens.
    private func replaySession(
        _ session: consuming EstablishedSession, _ role: Role, _ recording: HandshakeRecording
    ) throws {
        var state = session.state
        let frames = recording.sessionFrames
        #expect(frames.count >= 2)
        for frame in frames {
            let envelope = try recording.envelope(frame)
            let data = try #require(frame.data).bytes
            let route = try #require(envelope.metadata.route)
            if frame.sender == role {
                let now = try #require(envelope.metadata.timestamp)
                let sealed =
                    route == .sessionData
                    ? try state.seal(route, encoded: data, at: now)
                    : try state.seal(route, bytes: Array(try BytesValue.decode(data[...])), at: now)
                #expect(sealed.frame == frame.bytes.bytes, "frame \(frame.n)")
                #expect(sealed.metadata == envelope.metadata)
            } else {
                let opened = try state.open(frame.bytes.bytes)
                #expect(opened.metadata == envelope.metadata)
                #expect(opened.metadata.sequence == frame.seq)
                #expect(opened.data.elementsEqual(data))
            }
        }
        #expect(state.sealedCount + state.openedCount == UInt64(frames.count) + 4)
    }
}
