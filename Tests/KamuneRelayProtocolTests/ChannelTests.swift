import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneRelayProtocol

/// The exchange and the channel, against what was recorded between the Go relay and Go clients.
struct ChannelTests {
    /// Both sides of one recorded connection, as our machines play them.
    private struct Pair: ~Copyable {
        var client: RelayChannel
        var relay: RelayChannel
    }

    private func pair(_ connection: RelayVectors.Connection, _ exchange: [RelayVectors.Step]) throws -> Pair {
        let hello = try #require(exchange[0].bytes).bytes
        let answer = try #require(exchange[1].bytes).bytes
        let last = try #require(exchange[2].bytes).bytes
        let merged = try RelayExchangeAnswer(decoding: answer)
        var fromClient = RecordedEncapsulator(
            tunnel: .init(
                publicKey: merged.publicKey, encapsulatedKey: last, key: connection.c2sKey.bytes,
                baseNonce: connection.c2sBaseNonce.bytes))
        var fromRelay = RecordedEncapsulator(
            tunnel: .init(
                publicKey: hello, encapsulatedKey: merged.encapsulatedKey, key: connection.s2cKey.bytes,
                baseNonce: connection.s2cBaseNonce.bytes))

        var clientRandom = ScriptedRandomSource([connection.cSeed.bytes])
        let initiator = try RelayExchangeInitiator(using: &clientRandom)
        #expect(initiator.hello == hello)
        #expect(clientRandom.progress.isComplete)
        var relayRandom = ScriptedRandomSource([connection.sSeed.bytes])
        let responder = try RelayExchangeResponder(hello: hello, using: &relayRandom, &fromRelay)
        #expect(responder.answer == answer)
        #expect(relayRandom.progress.isComplete)

        let opened = try initiator.receivedAnswer(answer, using: &fromClient)
        #expect(opened.outgoing == last)
        return Pair(client: opened.takeChannel(), relay: try responder.received(last))
    }

    @Test("recorded conversations are replayed from both sides", arguments: RelayVectors.all?.conversations ?? [])
    func replay(_ conversation: RelayVectors.Conversation) throws {
        for connection in conversation.connections {
            let steps = conversation.frames.filter { $0.conn == connection.name && $0.bytes != nil }
            #expect(steps.prefix(3).map(\.layer) == ["hpke_public", "hpke_enc_public", "hpke_enc"])
            var pair = try pair(connection, Array(steps.prefix(3)))
            var tunnelled = 0
            for step in steps.dropFirst(3) {
                let sealed = try #require(step.bytes).bytes
                let plain = try #require(step.plain).bytes
                switch step.dir {
                case "c>s":
                    #expect(try pair.relay.open(sealed) == plain)
                    #expect(try pair.client.seal(encoded: plain) == sealed)
                default:
                    #expect(try pair.client.open(sealed) == plain)
                    #expect(try pair.relay.seal(encoded: plain) == sealed)
                }
                guard step.kind != "not protobuf" else {
                    #expect(throws: RelayProtocolError.self) { try RelayFrame(decoding: plain) }
                    continue
                }
                let frame = try #require(
                    FrameTests.frame(
                        kind: step.kind, mode: step.mode, token: step.token, ttl: step.ttl,
                        sessionTTL: step.sessionTtl, data: step.data, psk: step.psk))
                #expect(try RelayFrame(decoding: plain) == frame)
                #expect(try frame.encoded() == plain)
                tunnelled += 1
            }
            #expect(tunnelled > 0)
        }
    }

    private func fresh() throws -> Pair {
        var random = SeededRandom(1)
        var encapsulator = SystemEncapsulator()
        let initiator = try RelayExchangeInitiator(using: &random)
        let responder = try RelayExchangeResponder(hello: initiator.hello, using: &random, &encapsulator)
        let opened = try initiator.receivedAnswer(responder.answer, using: &encapsulator)
        let outgoing = opened.outgoing
        return Pair(client: opened.takeChannel(), relay: try responder.received(outgoing))
    }

    @Test("a fresh exchange carries frames both ways, up to the largest")
    func freshExchange() throws {
        var pair = try fresh()
        let largest = RelayFrame.message([UInt8](repeating: 3, count: RelayLimits.maximumMessageSize)[...])
        for frame in [RelayFrame.ping, largest, .message([]), .pong] {
            let up = try pair.client.seal(frame)
            #expect(up.count <= RelayLimits.maximumFrameSize)
            #expect(try RelayFrame(decoding: pair.relay.open(up)) == frame)
            #expect(try RelayFrame(decoding: pair.client.open(try pair.relay.seal(frame))) == frame)
        }
        let tooLarge = [UInt8](repeating: 0, count: RelayLimits.maximumPlaintextSize + 1)
        #expect(throws: RelayProtocolError.messageTooLarge(size: tooLarge.count)) {
            try pair.client.seal(encoded: tooLarge)
        }
        // Which cost no place in the order.
        #expect(try RelayFrame(decoding: pair.relay.open(try pair.client.seal(.ping))) == .ping)
    }

    @Test("an altered, a repeated and a skipped frame do not open")
    func notAuthentic() throws {
        var pair = try fresh()
        var altered = try pair.client.seal(.ping)
        altered[0] ^= 1
        #expect(throws: RelayProtocolError.undecryptable) { _ = try pair.relay.open(altered) }
        altered[0] ^= 1
        _ = try pair.relay.open(altered)
        #expect(throws: RelayProtocolError.undecryptable) { _ = try pair.relay.open(altered) }
        _ = try pair.client.seal(.ping)
        let third = try pair.client.seal(.ping)
        #expect(throws: RelayProtocolError.undecryptable) { _ = try pair.relay.open(third) }
        #expect(throws: RelayProtocolError.undecryptable) { _ = try pair.relay.open([1, 2, 3]) }
    }

    @Test("what is no frame of the exchange is refused", arguments: [0, 1, 2, 1_119, 1_216, 1_217, 2_338, 65_535])
    func malformedExchange(size: Int) throws {
        var random = SeededRandom(2)
        var encapsulator = SystemEncapsulator()
        // Of ones: a length that does not fit, a point that is none, coefficients beyond the modulus.
        let frame = [UInt8](repeating: 0xff, count: size)
        func isRefused(_ body: () throws -> Void) -> Bool {
            do {
                try body()
                return false
            } catch RelayProtocolError.malformedExchange {
                return true
            } catch {
                return false
            }
        }
        #expect(isRefused { _ = try RelayExchangeResponder(hello: frame, using: &random, &encapsulator) })
        #expect(
            isRefused {
                _ = try RelayExchangeInitiator(using: &random).receivedAnswer(frame, using: &encapsulator)
            })
        #expect(
            isRefused {
                let hello = try RelayExchangeInitiator(using: &random).hello
                _ = try RelayExchangeResponder(hello: hello, using: &random, &encapsulator).received(frame)
            })
    }
}
