import KamuneSystem
import KamuneTestKit
import NIOCore
import NIOEmbedded
import Testing

@testable import KamuneTransport

@Suite("Accepting no more than there is room for")
struct AcceptThrottleTests {
    private struct Fixture {
        let queue: AcceptQueue
        let channel = EmbeddedChannel()

        init(places: Int) throws {
            queue = AcceptQueue(limit: places)
            try channel.pipeline.syncOperations.addHandler(AcceptThrottle(queue: queue))
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        /// Whether the channel looks at its socket.
        var accepts: Bool {
            channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool ?? true
        }

        func accepted() {
            let child: any Channel = EmbeddedChannel()
            channel.pipeline.fireChannelRead(child)
        }

        func failed(_ code: CInt) {
            channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
        }

        func advance(milliseconds: Int64) {
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(milliseconds))
        }
    }

    @Test("it stops at the last place, and goes on as soon as one is free")
    func stopsAndGoesOn() throws {
        let fixture = try Fixture(places: 2)
        #expect(fixture.accepts)
        fixture.accepted()
        #expect(fixture.accepts)
        fixture.accepted()
        #expect(!fixture.accepts)
        fixture.queue.cancelReservation()
        fixture.channel.embeddedEventLoop.run()
        #expect(fixture.accepts)
    }

    @Test("it rests when the system cannot accept, longer each time, and then tries again")
    func restsAfterAnError() throws {
        let fixture = try Fixture(places: 2)
        for rest in [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000] as [Int64] {
            fixture.failed(EMFILE)
            #expect(!fixture.accepts)
            fixture.advance(milliseconds: rest - 1)
            #expect(!fixture.accepts)
            fixture.advance(milliseconds: 1)
            #expect(fixture.accepts)
        }
        fixture.accepted()
        fixture.failed(ENOBUFS)
        #expect(!fixture.accepts)
        fixture.advance(milliseconds: 10)
        #expect(fixture.accepts)
    }

    @Test("a place that becomes free does not end the rest, and the end of the rest makes no place")
    func restsAndWaits() throws {
        let fixture = try Fixture(places: 1)
        fixture.accepted()
        fixture.failed(EMFILE)
        fixture.queue.cancelReservation()
        fixture.channel.embeddedEventLoop.run()
        #expect(!fixture.accepts)
        fixture.queue.reserve()
        fixture.advance(milliseconds: 10)
        #expect(!fixture.accepts)
        fixture.queue.cancelReservation()
        fixture.channel.embeddedEventLoop.run()
        #expect(fixture.accepts)
    }

    @Test("an error of another kind befalls one connection, and the listener goes on at once")
    func goesOnAfterOtherErrors() throws {
        struct Other: Error {}
        let fixture = try Fixture(places: 2)
        fixture.channel.pipeline.fireErrorCaught(Other())
        fixture.failed(ECONNABORTED)
        #expect(fixture.accepts)
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
