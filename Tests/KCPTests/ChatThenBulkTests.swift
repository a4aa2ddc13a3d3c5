import KamuneTestKit
import Testing

@testable import KCP

/// Bulk after a chat: what the chat showed of the path is its own rate, and must not pass for the path's.
struct ChatThenBulkTests {
    /// 50 Mbit/s and 50 ms, with a queue of one bandwidth-delay product.
    private static let rate = 6_250_000.0
    private static let link = LinkConditions.link(delay: 25_000, rate: rate, queue: 305_000)

    private func path(_ configuration: KCPConfiguration) -> SimulatedPath<KCPConversation, KCPConversation> {
        SimulatedPath(
            KCPConversation(conversationID: 1, configuration: configuration, now: .start),
            KCPConversation(conversationID: 1, configuration: configuration, now: .start),
            forward: Self.link, backward: Self.link, seed: 1)
    }

    /// A chat of so many messages, each of them echoed; what each took to arrive, in microseconds.
    private func chat(
        _ path: inout SimulatedPath<KCPConversation, KCPConversation>, messages: Int, of size: Int = 600,
        every interval: UInt64
    ) -> [UInt64] {
        let start = path.now
        let message = [UInt8](repeating: 1, count: size)
        var sent = 0
        var arrived = 0
        var latencies: [UInt64] = []
        path.run(until: start + UInt64(messages) * interval + 1_000_000) { path in
            while sent < messages, path.now >= start + UInt64(sent) * interval {
                _ = path.first.write(message)
                sent += 1
            }
            let received = path.second.read()
            arrived += received.count
            if !received.isEmpty { _ = path.second.write(received) }
            while latencies.count < arrived / size {
                latencies.append(path.now - start - UInt64(latencies.count) * interval)
            }
            _ = path.first.read()
            return sent < messages ? start + UInt64(sent) * interval : .max
        }
        return latencies
    }

    /// Bulk for so many seconds, and how many bytes arrive in each of them on average.
    private func bulk(_ path: inout SimulatedPath<KCPConversation, KCPConversation>, seconds: UInt64) -> Double {
        let block = [UInt8](repeating: 5, count: 60_000)
        var received = 0
        path.run(until: path.now + seconds * 1_000_000) { path in
            while path.first.unacknowledgedByteCount < 1_000_000 { _ = path.first.write(block) }
            received += path.second.read().count
            return .max
        }
        return Double(received) / Double(seconds)
    }

    /// With one message on its way at a time, and with several.
    @Test(arguments: KCPCongestionControl.allCases, [10_000, 50_000, 200_000] as [UInt64])
    func bulkAfterAChatFillsTheLink(control: KCPCongestionControl, interval: UInt64) {
        var path = path(KCPConfiguration(control))
        _ = chat(&path, messages: 40, every: interval)
        #expect(bulk(&path, seconds: 3) > 0.8 * Self.rate)
    }

    /// A rate found on a link that was slow, or shared, does not hold when it has become fast.
    @Test func bulkFollowsALinkThatBecomesTenTimesAsFast() {
        var path = path(KCPConfiguration())
        path.forward.conditions.rate = Self.rate / 10
        #expect(bulk(&path, seconds: 3) > 0.08 * Self.rate)
        path.forward.conditions.rate = Self.rate
        _ = bulk(&path, seconds: 2)
        #expect(bulk(&path, seconds: 1) > 0.8 * Self.rate)
    }

    /// Without losses there is no reason for any message to take longer than the path and the link's rate ask for, be it
    /// as long as padding makes one: ten segments go out at once (RFC 9002, 7.7).
    @Test(arguments: KCPCongestionControl.allCases, [(600, 10_000), (600, 50_000), (600, 200_000), (11_900, 200_000)])
    func aChatWaitsForNothingButThePath(control: KCPCongestionControl, chat: (size: Int, interval: UInt64)) throws {
        var path = path(KCPConfiguration(control))
        let latencies = self.chat(&path, messages: 200, of: chat.size, every: chat.interval)
        #expect(latencies.count == 200)
        let slowest = try #require(latencies.max())
        #expect(Double(slowest) < 27_000 + Double(chat.size) / Self.rate * 1_000_000)
    }
}
