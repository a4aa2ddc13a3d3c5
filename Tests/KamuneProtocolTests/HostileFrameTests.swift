import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

/// What an attacker can do who sees and changes every frame, but holds no key of anybody.
///
/// A cipher decides over the frames of the tunnel, all bytes alike. That every byte and every length counts is shown on
/// the tunnel itself, which survives a frame that does not open. The machines around it end at the first such frame and
/// must be rebuilt for each: there every byte is tried of the exchange's lengths and of both ends of each frame, and of
/// the rest a sample, or with `KAMUNE_EXHAUSTIVE` set all.
@Suite("Hostile frames in a handshake")
struct HostileFrameTests {
    enum Course: CaseIterable, Sendable { case cold, resumed }

    private static let cold = Result {
        try Recording(
            initiator: Fixture.configuration(Fixture.alice.get()), responder: Fixture.configuration(Fixture.bob.get()))
    }

    private static let resumed = Result {
        try Recording(
            initiator: Fixture.configuration(Fixture.alice.get()), responder: Fixture.configuration(Fixture.bob.get()),
            resumption: .init(
                sessionID: "ABCDEFGHIJKLMNOPQRSTUVWX", token: [UInt8](repeating: 5, count: 32),
                initiator: Fixture.alice.get().publicKey, responder: Fixture.bob.get().publicKey))
    }

    private func recording(_ course: Course) throws -> Recording {
        try course == .cold ? Self.cold.get() : Self.resumed.get()
    }

    static let tunnelled = FrameName.allCases.filter(\.isTunnelled)

    // MARK: The tunnel's cipher

    @Test("In the tunnel every byte and every length counts", arguments: [0, 1, 512, 4_096])
    func tunnel(_ size: Int) throws {
        var random = SeededRandom(1)
        var system = SystemEncapsulator()
        let key = try TunnelPrivateKey.generate(using: &random)
        let there = try system.encapsulateTunnel(to: key.publicKey)
        let back = try system.encapsulateTunnel(to: key.publicKey)
        let opener = try TunnelOpener(encapsulatedKey: there.encapsulatedKey, privateKey: key)
        let otherOpener = try TunnelOpener(encapsulatedKey: back.encapsulatedKey, privateKey: key)
        var sender = Tunnel(sealer: there.sealer, opener: otherOpener)
        var receiver = Tunnel(sealer: back.sealer, opener: opener)

        let plaintexts = (0..<3).map { [UInt8](repeating: $0, count: size) }
        let frames = try plaintexts.map { try sender.seal($0) }
        var opened: [String] = []
        for index in frames[0].indices {
            if !receiver.refuses(Mutation.altered(at: index).applied(to: frames[0])) { opened.append("byte \(index)") }
            if !receiver.refuses(Mutation.truncated(to: index).applied(to: frames[0])) {
                opened.append("cut to \(index)")
            }
        }
        for (index, other) in [frames[0] + [0], [0] + frames[0], [], frames[1], frames[2]].enumerated()
        where !receiver.refuses(other) {
            opened.append("other \(index)")
        }
        #expect(opened == [])
        #expect(try receiver.open(frames[0]) == plaintexts[0])
        // Repeated; swapped with its neighbour; reflected.
        #expect(receiver.refuses(frames[0]) == true)
        #expect(receiver.refuses(frames[2]) == true)
        #expect(try receiver.open(frames[1]) == plaintexts[1])
        #expect(sender.refuses(frames[0]) == true)
    }

    @Test("An altered, cut or extended frame of the tunnel ends its receiver", arguments: Course.allCases, tunnelled)
    func tamperedTunnelFrame(_ course: Course, _ name: FrameName) throws {
        let recording = try recording(course)
        let frame = recording[name]
        // About as many of each, whatever the size; in a resumed handshake only the first two frames differ.
        let step = max(1, frame.count / (course == .cold ? 64 : 16))
        var mutations: [Mutation] = [.extended]
        for index in Fixture.positions(in: frame.count, step: step) {
            mutations += [.altered(at: index), .truncated(to: index)]
        }
        for mutation in mutations {
            let error = try recording.error(of: name, replacedBy: mutation.applied(to: frame))
            #expect(error == .authenticationFailed(.undecryptable(.tunnel)), "\(name) \(mutation)")
        }
        let untouched = try recording.error(of: name, replacedBy: [])
        #expect(untouched == .authenticationFailed(.undecryptable(.tunnel)))
    }

    // MARK: The exchange

    @Test("The initiator's key, cut or extended, is none")
    func lengthOfInitiatorKey() throws {
        let recording = try recording(.cold)
        for count in 0..<recording[.initiatorKey].count {
            let error = try recording.error(
                of: .initiatorKey, replacedBy: Array(recording[.initiatorKey].prefix(count)))
            #expect(error?.isMalformedExchange == true, "\(count) bytes")
        }
        let error = try recording.error(of: .initiatorKey, replacedBy: recording[.initiatorKey] + [0])
        #expect(error?.isMalformedExchange == true)
    }

    @Test("The responder's answer, cut at every length or extended, is none")
    func lengthOfExchange() throws {
        let recording = try recording(.cold)
        let frame = recording[.exchange]
        // Once the first part is whole, each length costs a decapsulation.
        let counts =
            Fixture.isExhaustive
            ? Array(0..<frame.count)
            : Array(0..<1_125) + Array(stride(from: 1_125, to: frame.count, by: 31)) + [frame.count - 1]
        for count in counts {
            let error = try recording.error(of: .exchange, replacedBy: Array(frame.prefix(count)))
            #expect(error?.isMalformedExchange == true, "\(count) bytes")
        }
        let error = try recording.error(of: .exchange, replacedBy: frame + [0])
        #expect(error?.isMalformedExchange == true)
    }

    @Test("Every length that the responder's answer may claim for its first part, but the right one")
    func claimedLength() throws {
        let recording = try recording(.cold)
        let frame = recording[.exchange]
        for size in [0, 1, 1_119, 1_121, 1_216, 2_335, 2_336, 2_337, 2_338, 0x7fff, 0x8000, 0xffff] {
            let claimed = [UInt8(size >> 8), UInt8(size & 0xff)] + frame.dropFirst(2)
            let error = try recording.error(of: .exchange, replacedBy: claimed)
            #expect(error?.isMalformedExchange == true, "\(size)")
        }
    }

    @Test("The initiator's part of the tunnel, cut or extended, is none")
    func lengthOfEncapsulation() throws {
        let recording = try recording(.cold)
        let frame = recording[.encapsulation]
        for count in Fixture.positions(in: frame.count, step: 8) {
            let error = try recording.error(of: .encapsulation, replacedBy: Array(frame.prefix(count)))
            #expect(error?.isMalformedExchange == true, "\(count) bytes")
        }
        let error = try recording.error(of: .encapsulation, replacedBy: frame + [0])
        #expect(error?.isMalformedExchange == true)
    }

    /// The exchange authenticates nobody, so an altered byte of a key or a ciphertext shows when the first frame does
    /// not open on the side whose key it was; and at once when it leaves a key that FIPS 203 refuses.
    @Test(
        "An altered byte of the exchange is seen by the side that it concerns",
        arguments: [FrameName.initiatorKey, .exchange, .encapsulation])
    func alteredExchange(_ name: FrameName) throws {
        let count = try recording(.cold)[name].count
        for index in Fixture.positions(in: count, step: 24) + (name == .exchange ? [2, 3, 1_121, 1_122] : []) {
            var isKey = true
            var pair = try self.pair()
            try pair.run { frame in
                guard frame.name == name else { return frame.delivered }
                let altered = Mutation.altered(at: index).applied(to: frame.bytes)
                isKey = passesModulusCheck(altered[(name == .exchange ? 1_122 : 0)...])
                return [Delivery(to: name.receiver, altered)]
            }
            let seen: (initiator: ProtocolError?, responder: ProtocolError?) = (
                pair.initiator.error, pair.responder.error
            )
            switch name {
            case .initiatorKey where isKey:
                #expect(seen == (.authenticationFailed(.undecryptable(.tunnel)), nil), "byte \(index)")
            case .initiatorKey:
                #expect(seen.responder?.isMalformedExchange == true && seen.initiator == nil, "byte \(index)")
            case .exchange where index < 2 || (index >= 1_122 && !isKey):
                #expect(seen.initiator?.isMalformedExchange == true && seen.responder == nil, "byte \(index)")
            case .exchange where index < 1_122:
                #expect(seen == (.authenticationFailed(.undecryptable(.tunnel)), nil), "byte \(index)")
            default:
                #expect(seen == (nil, .authenticationFailed(.undecryptable(.tunnel))), "byte \(index)")
            }
            #expect(pair.initiator.isEstablished == false && pair.responder.isEstablished == false)
        }
    }

    /// With a point of small order the X25519 half would be zero whatever the own key is (§5.2).
    @Test(
        "Points of small order are refused wherever a key or ciphertext brings one",
        arguments: [FrameName.initiatorKey, .exchange, .encapsulation])
    func lowOrder(_ name: FrameName) throws {
        let recording = try recording(.cold)
        let zero = [UInt8](repeating: 0, count: 32)
        let one = [1] + zero.dropFirst()
        let prime = [0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f]
        for point in [zero, one, prime, zero.dropLast() + [0x80]] {
            var frame = recording[name]
            frame.replaceSubrange((frame.count - 32)..., with: point)
            #expect(try recording.error(of: name, replacedBy: frame)?.isMalformedExchange == true)
            if name == .exchange {
                var first = recording[name]
                first.replaceSubrange(1_090..<1_122, with: point)
                #expect(try recording.error(of: name, replacedBy: first)?.isMalformedExchange == true)
            }
        }
    }

    // MARK: Out of turn

    /// Every frame of the recording, and of the other one, where another is due. This holds what repeating, dropping and
    /// swapping make of a recording, in either direction, and reflection.
    @Test("Each frame in each wrong phase", arguments: Course.allCases, FrameName.allCases)
    func wrongPhase(_ course: Course, _ due: FrameName) throws {
        let recording = try recording(course)
        let other = try self.recording(course == .cold ? .resumed : .cold)
        for name in FrameName.allCases {
            var strangers: [[UInt8]] = []
            if name != due { strangers.append(recording[name]) }
            // A frame of the exchange from another handshake is as good as ours, until something is sealed.
            if name != due || due.isTunnelled { strangers.append(other[name]) }
            for stranger in strangers {
                let error = try recording.error(of: due, replacedBy: stranger)
                if due.isTunnelled {
                    #expect(error == .authenticationFailed(.undecryptable(.tunnel)), "\(name) where \(due) was due")
                } else {
                    #expect(error?.isMalformedExchange == true, "\(name) where \(due) was due")
                }
            }
        }
    }

    // MARK: On a live wire

    private func pair() throws -> HandshakePair {
        try HandshakePair(
            initiator: try Fixture.configuration(Fixture.alice.get()),
            responder: try Fixture.configuration(Fixture.bob.get()))
    }

    /// The last frame each way is missing here: its repetition meets the session, see `HostileSessionTests`.
    @Test(
        "A frame that comes twice",
        arguments: FrameName.allCases.filter { $0 != .responderChallenge && $0 != .initiatorAnswer })
    func repeated(_ name: FrameName) throws {
        var pair = try pair()
        try pair.run { $0.name == name ? $0.delivered + $0.delivered : $0.delivered }
        let seen = name.receiver == .initiator ? pair.initiator.error : pair.responder.error
        let other = name.receiver == .initiator ? pair.responder.error : pair.initiator.error
        if name == .initiatorKey {
            #expect(seen?.isMalformedExchange == true)
        } else {
            #expect(seen == .authenticationFailed(.undecryptable(.tunnel)))
        }
        #expect(other == nil)
        #expect(pair.responder.isEstablished == false)
        // The responder has answered the first of the two before it sees the second, and all that the initiator gets is
        // right. Its first message will meet a closed connection.
        #expect(pair.initiator.isEstablished == (name == .initiatorChallenge))
    }

    @Test(
        "A frame that is lost: whoever waits for it goes on waiting, or takes the next one for it and fails",
        arguments: FrameName.allCases)
    func dropped(_ name: FrameName) throws {
        var pair = try pair()
        try pair.run { $0.name == name ? [] : $0.delivered }
        switch name {
        case .encapsulation: #expect(pair.responder.error?.isMalformedExchange == true)
        case .responderAnswer: #expect(pair.initiator.error == .authenticationFailed(.undecryptable(.tunnel)))
        default: #expect(pair.initiator.error == nil && pair.responder.error == nil)
        }
        #expect(pair.responder.isEstablished == false)
        // The initiator has sent its last frame and cannot know that it was lost; its first message ends the responder.
        #expect(pair.initiator.isEstablished == (name == .initiatorAnswer))
        guard name == .initiatorAnswer, let established = pair.initiator.established.take() else { return }
        var session = SessionMachine(established.state, agreedCapabilities: .all, at: Fixture.moment())
        let message = try session.send([1], at: Fixture.moment()).frame
        expectError(.authenticationFailed(.undecryptable(.tunnel))) { () throws(ProtocolError) in
            _ = try pair.responder.machine.take()?.receivedFrame(message, at: Fixture.now)
        }
    }

    /// Only two pairs of neighbours are on their way at the same time; of all others the second is the answer to the
    /// first, so that it does not exist yet when the first would have to wait for it.
    @Test("Neighbours that are swapped", arguments: [FrameName.encapsulation, .responderAnswer])
    func swapped(_ name: FrameName) throws {
        var pair = try pair()
        var waiting: [Delivery] = []
        try pair.run { frame in
            if frame.name == name {
                waiting = frame.delivered
                return []
            }
            defer { waiting = [] }
            return frame.delivered + waiting
        }
        if name == .encapsulation {
            #expect(pair.responder.error?.isMalformedExchange == true && pair.initiator.error == nil)
        } else {
            #expect(
                pair.initiator.error == .authenticationFailed(.undecryptable(.tunnel)) && pair.responder.error == nil)
        }
        #expect(pair.initiator.isEstablished == false && pair.responder.isEstablished == false)
    }

    @Test("A frame that is sent back to its sender", arguments: FrameName.allCases)
    func reflected(_ name: FrameName) throws {
        var pair = try pair()
        try pair.run { frame in
            frame.name == name ? [Delivery(to: name.sender, frame.bytes)] : frame.delivered
        }
        let seen = name.sender == .initiator ? pair.initiator.error : pair.responder.error
        switch name {
        case .initiatorKey, .exchange: #expect(seen?.isMalformedExchange == true)
        // The initiator has sent its last frame: what comes back meets its session.
        case .initiatorAnswer: #expect(seen == nil && pair.initiator.isEstablished == true)
        default: #expect(seen == .authenticationFailed(.undecryptable(.tunnel)))
        }
        #expect(pair.responder.isEstablished == false)
    }
}

extension Tunnel {
    /// Whether a frame cannot be opened.
    mutating func refuses(_ frame: [UInt8]) -> Bool {
        do {
            _ = try open(frame)
            return false
        } catch {
            return error == .authenticationFailed(.undecryptable(.tunnel))
        }
    }
}
