import KamuneTestSupport

@testable import KamuneCrypto
@testable import KamuneProtocol

/// A session against a peer that does what it likes, with the clock in the fuzzer's hand.
func fuzzSession(_ input: [UInt8]) throws {
    var choices = Choices(input)
    var random = SeededRandom(7)
    let identity = try People.victim.get()
    let attacker = try People.attacker.get()
    let role: Role = choices.below(2) == 0 ? .initiator : .responder
    let schedule = KeySchedule(
        sharedSecret: SecretBytes(copying: [UInt8](repeating: 1, count: 32)), sessionID: "ABCDEFGHIJKLMNOPQRSTUVWX",
        request: HandshakeMessage(key: [1], salt: [2], sessionKey: "A"),
        response: HandshakeMessage(key: [3], salt: [4], sessionKey: "B"))
    let cipher = try XChaCha20Poly1305(key: schedule.sessionKey(of: role.peer))
    var state = try SessionState(
        role: role, schedule: schedule, identity: identity, peer: attacker.publicKey, random: random)
    for number in 1...SessionState.handshakeMessageCount {
        let envelope = try sealedEnvelope(.sendChallenge, [], sequence: number, signedBy: attacker, &random)
        _ = try state.open(cipher.seal(envelope, nonce: .random(using: &random)))
        _ = try state.seal(.sendChallenge, bytes: [], at: Adversary.now)
    }
    var machine = SessionMachine(
        state, agreedCapabilities: choices.below(2) == 0 ? .none : .all,
        configuration: SessionConfiguration(maximumMessageSize: choices.below(2) == 0 ? 1_000 : .max),
        at: Moment(wall: Adversary.now, monotonic: .zero))

    var sequence: UInt64 = 3
    var clock = Duration.zero
    var last: [UInt8] = []
    for _ in 0..<16 where !choices.isEmpty {
        clock += .milliseconds(Int64(choices.below(256)) * (choices.below(2) == 0 ? 1 : 1_000))
        let now = Moment(wall: Adversary.now, monotonic: clock)
        let wasOpen = machine.isOpen
        var frame: [UInt8]?
        switch choices.below(11) {
        case 0, 1:
            let route = Int32([7, 8, 9, 10, 13][choices.below(5)])
            frame = try cipher.seal(
                sealedEnvelope(
                    .ping, choices.bytes(), rawRoute: route, sequence: sequence, signedBy: attacker, &random),
                nonce: .random(using: &random))
        case 2:
            var data: [UInt8] = []
            BytesValue.encode(choices.bytes(), to: &data)
            frame = try cipher.seal(
                sealedEnvelope(
                    .exchangeMessages, data, sequence: sequence, signedBy: attacker, &random),
                nonce: .random(using: &random))
        case 3:
            let data = try SessionData(fields: [
                choices.below(2) == 0 ? ProtocolConstants.relayKeyField : "other": choices.bytes()
            ]).encoded()
            frame = try cipher.seal(
                sealedEnvelope(.sessionData, data, sequence: sequence, signedBy: attacker, &random),
                nonce: .random(using: &random))
        case 4:
            frame = try cipher.seal(
                sealedEnvelope(
                    .ping, choices.bytes(), rawRoute: Int32(truncatingIfNeeded: choices.number()),
                    sequence: choices.number(), signedBy: attacker, &random),
                nonce: .random(using: &random))
        case 5: frame = cipher.seal(choices.bytes(), nonce: .random(using: &random))
        case 6: frame = choices.bytes()
        case 7: frame = choices.mutated(last)
        case 8:
            if let sealed = try? machine.send(choices.bytes(), at: now) {
                try expect(wasOpen, "a session that has ended sends")
                try expect(sealed.frame.count <= ProtocolConstants.maximumFrameSize, "a frame above the limit")
            }
        case 9:
            if case .send(let ping) = try machine.timeElapsed(at: now) {
                try expect(wasOpen, "a session that has ended sends")
                try expect(ping.count <= ProtocolConstants.maximumFrameSize, "a frame above the limit")
            }
        default:
            if choices.below(8) == 0 { _ = try machine.close(at: now) } else { _ = try? machine.ping(at: now) }
        }
        if let frame {
            last = frame
            var event: SessionEvent?
            do throws(ProtocolError) {
                event = try machine.receivedFrame(frame, at: now)
                sequence += 1
            } catch {
                if wasOpen { try expectPeersFault(error) } else { try expect(error == .misuse(.ended), "“\(error)”") }
                try expect(!machine.isOpen, "a session went on after “\(error)”")
            }
            try expect(wasOpen || event == nil, "a session that has ended took a frame")
            switch event {
            case .answer(let answer):
                try expect(answer.count <= ProtocolConstants.maximumFrameSize, "too large an answer")
            case .message(let message):
                try expect(message.payload.count <= ProtocolConstants.maximumPayloadSize, "too large a message")
            case .pinged:
                try expect(machine.heldByteCount <= ProtocolConstants.maximumTransportSize, "too large a ping is kept")
                if choices.below(2) == 0, let answer = try machine.answerPing(at: now) {
                    try expect(answer.count <= ProtocolConstants.maximumFrameSize, "too large an answer")
                }
            case .pong, .closedByPeer, .nothing, nil: break
            }
        }
        _ = machine.relaySecret()
        if !machine.isOpen { try expect(machine.nextDeadline == nil, "a session that has ended waits for something") }
    }
}
