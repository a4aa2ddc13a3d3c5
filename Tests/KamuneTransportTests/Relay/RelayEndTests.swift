import KamuneCrypto
import KamuneRelayProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import KamuneTransport

/// How a relay's connection ends, step by step.
struct RelayEndTests {
    /// Writes down what reaches whoever is above.
    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var events: [String] = []

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            events.append("\(unwrapInboundIn(data).readableBytesView.map { $0 })")
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.inputClosed) = event as? ChannelEvent { events.append("end") }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            events.append("\(error as? TransportError == .reset ? "reset" : "other")")
        }
    }

    /// A connection that is registered, and the relay's end of its channel.
    private struct Registered: ~Copyable {
        let channel: EmbeddedChannel
        let recorder: Recorder
        var relay: RelayChannel

        static func make() throws -> Registered {
            let channel = EmbeddedChannel()
            let recorder = Recorder()
            var random = SystemRandomSource()
            var encapsulator = SystemEncapsulator()
            let handler = try RelayClientHandler(
                .init(.join(try RelayToken([1]))), address: "relay+tcp://h:1", tls: nil
            ) { _ in }
            try channel.pipeline.syncOperations.addHandler(handler)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            let hello = try #require(try channel.readOutbound(as: [UInt8].self))
            let responder = try RelayExchangeResponder(hello: hello, using: &random, &encapsulator)
            try channel.writeInbound(responder.answer)
            let last = try #require(try channel.readOutbound(as: [UInt8].self))
            let request = try #require(try channel.readOutbound(as: [UInt8].self))
            var relay = try responder.received(last)
            _ = try relay.open(request)
            try channel.writeInbound(
                try relay.seal(.registered(.init(token: [1], tokenLifetime: 0, sessionLifetime: 0))))
            handler.release()
            try channel.pipeline.syncOperations.addHandler(recorder)
            return Registered(channel: channel, recorder: recorder, relay: relay)
        }

        mutating func say(_ message: [UInt8]) throws {
            channel.pipeline.syncOperations.fireChannelRead(NIOAny(try relay.seal(.message(message[...]))))
        }
    }

    @Test("what came in the same read as the end comes before it")
    func endWithinRead() throws {
        var connection = try Registered.make()
        try connection.say([7])
        try connection.say([])
        connection.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(connection.recorder.events == ["[0, 1, 7, 0, 0]", "end"])
        _ = try? connection.channel.finish()
    }

    @Test("and before an error, after which nothing is believed")
    func errorWithinRead() throws {
        var connection = try Registered.make()
        try connection.say([7])
        connection.channel.pipeline.fireErrorCaught(TransportError.reset)
        try connection.say([8])
        connection.channel.pipeline.fireChannelReadComplete()
        #expect(connection.recorder.events == ["[0, 1, 7]", "reset"])
        _ = try? connection.channel.finish()
    }
}
