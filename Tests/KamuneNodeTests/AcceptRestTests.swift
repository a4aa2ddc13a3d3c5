import KamuneSystem
import NIOCore
import NIOEmbedded
import Testing

@testable import KamuneSocket

@Suite("A socket that cannot accept for a while")
struct AcceptRestTests {
    private struct Other: Error {}

    /// Whether the channel looks at its socket; nil when nobody has said.
    private func accepts(_ channel: EmbeddedChannel) -> Bool? {
        channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
    }

    @Test("it rests, twice as long each time, and goes on", arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func resting(code: Int32) throws {
        let channel = EmbeddedChannel(handler: AcceptRest())
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        for rest in [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            // However often it fails.
            for _ in 0..<3 { channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept")) }
            #expect(accepts(channel) == false)
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(Int64(rest) - 1))
            #expect(accepts(channel) == false, "\(rest)")
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
            #expect(accepts(channel) == true, "\(rest)")
        }
        try channel.throwIfErrorCaught()
        _ = try channel.finish()
    }

    @Test("one who has gone before being accepted is no reason to rest, and what is no such error is told")
    func others() throws {
        let channel = EmbeddedChannel(handler: AcceptRest())
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        channel.pipeline.fireErrorCaught(IOError(errnoCode: ECONNABORTED, reason: "accept"))
        #expect(accepts(channel) == nil)
        try channel.throwIfErrorCaught()
        channel.pipeline.fireErrorCaught(Other())
        #expect(throws: Other.self) { try channel.throwIfErrorCaught() }
        _ = try channel.finish()
    }
}
