import Foundation
import NIOCore
import NIOEmbedded
import Testing

@testable import KamuneTransport

@Suite("Accepting no more than there is room for")
struct AcceptThrottleTests {
    /// Stands between the throttle and the socket, and counts what is asked of it.
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = Never
        private(set) var count = 0

        func read(context: ChannelHandlerContext) { count += 1 }
    }

    private struct Fixture {
        let reads = Reads()
        let queue: AcceptQueue
        let channel = EmbeddedChannel()

        init(places: Int) throws {
            queue = AcceptQueue(limit: places)
            try channel.pipeline.syncOperations.addHandlers(reads, AcceptThrottle(queue: queue))
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func accepted() {
            let child: any Channel = EmbeddedChannel()
            channel.pipeline.fireChannelRead(child)
        }
    }

    @Test("it stops at the last place, and goes on as soon as one is free")
    func stopsAndGoesOn() throws {
        let fixture = try Fixture(places: 2)
        let before = fixture.reads.count
        fixture.channel.read()
        #expect(fixture.reads.count == before + 1)
        fixture.accepted()
        fixture.accepted()
        fixture.channel.read()
        fixture.channel.read()
        #expect(fixture.reads.count == before + 1)
        fixture.queue.cancelReservation()
        fixture.channel.embeddedEventLoop.run()
        #expect(fixture.reads.count == before + 2)
    }

    @Test("it rests when the system cannot accept, and then tries again")
    func restsAfterAnError() throws {
        let fixture = try Fixture(places: 2)
        let before = fixture.reads.count
        fixture.channel.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept"))
        fixture.channel.read()
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(199))
        #expect(fixture.reads.count == before)
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(fixture.reads.count == before + 1)
    }

    @Test("an error of another kind befalls one connection, and the listener goes on at once")
    func goesOnAfterOtherErrors() throws {
        struct Other: Error {}
        let fixture = try Fixture(places: 2)
        let before = fixture.reads.count
        fixture.channel.pipeline.fireErrorCaught(Other())
        fixture.channel.read()
        #expect(fixture.reads.count == before + 1)
    }

    @Test("when the listening channel closes, whoever waits for a connection hears of it")
    func closes() async throws {
        let queue = AcceptQueue(limit: 1)
        let channel = NIOAsyncTestingChannel()
        try await channel.testingEventLoop.executeInContext {
            try channel.pipeline.syncOperations.addHandler(AcceptThrottle(queue: queue))
        }
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1))
        async let accepted = queue.accept()
        try await channel.close()
        #expect(try await accepted == nil)
    }
}
