import KamuneTestKit
import Testing

/// A NAT that gives a UDP session another port: the other side knows nobody there.
@Suite("New ports", .enabled(if: EmulatedConversation.isPossible, EmulatedConversation.obstacle))
struct TranslationTests {
    /// What the dialer's own limits add up to: ten seconds of doubt, and what a handshake takes on a busy machine.
    private static let patience = Duration.seconds(30)

    @Test("whoever has something to say is back in seconds, and nothing is lost or doubled", arguments: [false, true])
    func newPort(isIPv6: Bool) async throws {
        let conversation = try await EmulatedConversation(over: .udp, link: "delay=20ms", isIPv6: isIPv6)
        await conversation.exchange("before")
        try await conversation.network.renumberPorts()
        conversation.dialer.write("during\n")
        let clock = ContinuousClock()
        let start = clock.now
        let hasArrived = await conversation.listener.output.wait(within: Self.patience) { $0.contains("during\n") }
        #expect(hasArrived, "\(conversation.dialer.errors.text)")
        #expect(clock.now - start > .seconds(9), "the new port made no difference")
        await conversation.exchange("after")
        await conversation.end()
        #expect(conversation.listener.output.raw == "before, question\nduring\nafter, question\n")
        #expect(conversation.dialer.output.raw == "before, answer\nafter, answer\n")
    }

    /// Both the session and the one that is to take its place get through again at about the same time.
    @Test("after a blackout the session goes on or is replaced, and nothing is lost or doubled")
    func blackout() async throws {
        let conversation = try await EmulatedConversation(over: .udp, link: "delay=20ms")
        await conversation.exchange("before")
        try await conversation.network.blackOut(for: .seconds(13))
        await conversation.exchange("during")
        await conversation.exchange("after")
        await conversation.end()
        #expect(conversation.listener.output.raw == "before, question\nduring, question\nafter, question\n")
        #expect(conversation.dialer.output.raw == "before, answer\nduring, answer\nafter, answer\n")
        #expect(!conversation.dialer.errors.text.contains("lost"))
    }
}
