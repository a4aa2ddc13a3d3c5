import KamuneTestKit
import Testing

/// What happens to a conversation when nothing gets through for a while.
@Suite("Blackouts", .enabled(if: EmulatedConversation.isPossible, EmulatedConversation.obstacle))
struct BlackoutTests {
    @Test("a short one is survived, and nothing is lost", arguments: EmulatedConversation.Transport.allCases)
    func short(transport: EmulatedConversation.Transport) async throws {
        let conversation = try await EmulatedConversation(over: transport, link: "delay=20ms")
        await conversation.exchange("before")
        try await conversation.network.blackOut(for: .seconds(3))
        await conversation.exchange("during")
        #expect(try await conversation.network.statistics().lost > 0, "it was said before the blackout")
        await conversation.exchange("after")
        await conversation.end()
        #expect(conversation.listener.output.raw == "before, question\nduring, question\nafter, question\n")
        #expect(conversation.dialer.output.raw == "before, answer\nduring, answer\nafter, answer\n")
    }

    @Test("one way only is survived too", arguments: [EmulatedNetwork.Direction.forward, .backward])
    func oneWay(direction: EmulatedNetwork.Direction) async throws {
        let conversation = try await EmulatedConversation(over: .udp, link: "delay=20ms")
        await conversation.exchange("before")
        try await conversation.network.blackOut(for: .seconds(2), direction)
        await conversation.exchange("during")
        await conversation.end()
    }

    /// Takes the minutes that the time-outs have: see `Configuration.keepAliveInterval` and `Configuration.writeTimeout`.
    @Test(
        "a long one is noticed by both sides",
        .enabled(if: EmulatedConversation.isThorough, "takes minutes: KAMUNE_TEST_NETWORK=full"),
        arguments: EmulatedConversation.Transport.allCases)
    func long(transport: EmulatedConversation.Transport) async throws {
        let conversation = try await EmulatedConversation(over: transport, link: "delay=20ms")
        await conversation.exchange("before")
        try await conversation.network.blackOut(for: .seconds(600))
        conversation.dialer.write("into the dark\n")
        for child in [conversation.dialer, conversation.listener] {
            _ = await child.errors.wait(within: EmulatedConversation.patience) { _ in false }
            await child.expectExit(7)
        }
        #expect(conversation.listener.output.raw == "before, question\n")
    }
}
