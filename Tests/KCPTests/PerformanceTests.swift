import KamuneTestKit
import Testing

@testable import KCP

/// What the congestion control and the repair of losses reach, on links of known rate, delay and loss.
struct PerformanceTests {
    private struct Flow {
        var path: (first: KCPConversation, second: KCPConversation)
        let startsAt: UInt64
        var received = 0
        var receivedBefore = 0
    }

    /// Bulk flows that share one link and its queue, and what each brought through per second from a time on.
    private func share(
        _ configurations: [KCPConfiguration], link: LinkConditions, seconds: UInt64, from measuredFrom: UInt64 = 0,
        secondStartsAt: UInt64 = 0, seed: UInt64 = 1
    ) -> [Double] {
        var forward = SimulatedLink(conditions: link, seed: seed)
        var backward = SimulatedLink(
            conditions: .link(delay: link.delay, loss: link.loss.whenGood), seed: ~seed)
        var flows = configurations.enumerated().map { index, configuration in
            Flow(
                path: (
                    KCPConversation(conversationID: UInt32(index), configuration: configuration, now: .start),
                    KCPConversation(conversationID: UInt32(index), configuration: configuration, now: .start)
                ),
                startsAt: index == 0 ? 0 : secondStartsAt)
        }
        let block = [UInt8](repeating: 5, count: 60_000)
        let sink = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { sink.deallocate() }
        var now: UInt64 = 0
        var hasBegun = false
        while now < seconds * 1_000_000 {
            if !hasBegun, now >= measuredFrom * 1_000_000 {
                hasBegun = true
                for index in flows.indices { flows[index].receivedBefore = flows[index].received }
            }
            var next = seconds * 1_000_000
            while let arrival = forward.receive(at: now) {
                flows[arrival.flow].path.second.receive(arrival.datagram, at: now)
            }
            while let arrival = backward.receive(at: now) {
                flows[arrival.flow].path.first.receive(arrival.datagram, at: now)
            }
            for index in flows.indices {
                guard now >= flows[index].startsAt else {
                    next = min(next, flows[index].startsAt)
                    continue
                }
                while flows[index].path.first.unacknowledgedByteCount < 1_000_000 {
                    _ = flows[index].path.first.write(block)
                }
                flows[index].received += flows[index].path.second.read(into: sink)
                while let datagram = flows[index].path.first.nextDatagram(at: now) {
                    forward.send(datagram, flow: index, at: now)
                }
                while let datagram = flows[index].path.second.nextDatagram(at: now) {
                    backward.send(datagram, flow: index, at: now)
                }
                for time in [flows[index].path.first.deadline, flows[index].path.second.deadline] {
                    if let time { next = min(next, time) }
                }
            }
            for time in [forward.nextArrivalTime, backward.nextArrivalTime] {
                if let time { next = min(next, time) }
            }
            now = max(now + 1, next)
        }
        return flows.map { Double($0.received - $0.receivedBefore) / Double(seconds - measuredFrom) }
    }

    /// What TCP reaches at a loss by chance (Mathis et al., 1997): MSS / RTT × √(3/2) / √p, in bytes per second.
    private func mathis(roundTrip: Double, loss: Double) -> Double { 1448 / roundTrip * 1.22 / loss.squareRoot() }

    /// 50 Mbit/s, 50 ms, 1 % loss, a queue of one bandwidth-delay product and of a quarter.
    @Test(arguments: [312_000, 78_000])
    func bulkOverALossyLinkReachesThreeTimesWhatTCPDoes(queue: Int) {
        let link = LinkConditions.link(delay: 25_000, rate: 6_250_000, queue: queue, loss: 0.01)
        let rate = share([KCPConfiguration()], link: link, seconds: 3)[0]
        #expect(rate > 3 * mathis(roundTrip: 0.05, loss: 0.01))
        #expect(rate > 0.75 * 6_250_000)
    }

    /// Losses by chance are told from congestion up to 15 %.
    @Test(arguments: [(0.05, 0.7), (0.15, 0.45)])
    func heavyLossCostsLittleMoreThanItself(loss: Double, share least: Double) {
        let link = LinkConditions.link(delay: 25_000, rate: 1_250_000, queue: 62_500, loss: loss)
        #expect(share([KCPConfiguration()], link: link, seconds: 5)[0] > least * 1_250_000)
    }

    @Test(arguments: KCPCongestionControl.allCases, [KCPLatencyMode.balanced, .turbo])
    func aCleanLinkIsFilled(control: KCPCongestionControl, mode: KCPLatencyMode) {
        let link = LinkConditions.link(delay: 10_000, rate: 1_250_000, queue: 25_000)
        #expect(share([KCPConfiguration(control, mode)], link: link, seconds: 3)[0] > 0.85 * 1_250_000)
    }

    /// Neither is starved: each has an eighth of the link at least, whichever came first.
    @Test(arguments: [25_000, 50_000, 100_000], [true, false])
    func aCUBICFlowBesideTheDefaultIsNotStarvedNorStarves(queue: Int, cubicFirst: Bool) {
        let link = LinkConditions.link(delay: 20_000, rate: 1_250_000, queue: queue)
        let pair = [KCPConfiguration(.cubic), KCPConfiguration()]
        let rates = share(
            cubicFirst ? pair : pair.reversed(), link: link, seconds: 17, from: 7, secondStartsAt: 1_000_000)
        #expect(rates.allSatisfy { $0 > 1_250_000 / 8 }, "\(rates)")
        #expect(rates.reduce(0, +) > 0.85 * 1_250_000)
    }

    @Test func twoDefaultFlowsShareALink() {
        let link = LinkConditions.link(delay: 20_000, rate: 1_250_000, queue: 50_000)
        let rates = share(
            [KCPConfiguration(), KCPConfiguration()], link: link, seconds: 17, from: 7, secondStartsAt: 1_000_000)
        #expect(rates.allSatisfy { $0 > 1_250_000 / 4 }, "\(rates)")
    }

    /// A queue larger than the path is not filled: an interactive message beside bulk would wait for it.
    @Test func bulkLeavesALargeQueueMostlyEmpty() throws {
        let link = LinkConditions.link(delay: 20_000, rate: 1_250_000, queue: 1_250_000)
        var path = SimulatedPath(
            KCPConversation(conversationID: 1, now: .start), KCPConversation(conversationID: 1, now: .start),
            forward: link, backward: .link(delay: 20_000), seed: 1)
        let block = [UInt8](repeating: 5, count: 60_000)
        var sum: Duration = .zero
        var count = 0
        path.run(until: 8_000_000) { path in
            while path.first.unacknowledgedByteCount < 1_000_000 { _ = path.first.write(block) }
            _ = path.second.read()
            if path.now > 3_000_000, let roundTrip = path.first.smoothedRoundTrip {
                sum += roundTrip
                count += 1
            }
            return .max
        }
        try #require(count > 0)
        #expect(sum / count < .milliseconds(90))
    }

    /// Messages of a chat, and how long each took from end to end and back, in microseconds and in order of size.
    private func latencies(
        _ configuration: KCPConfiguration, every interval: UInt64, size: Int, loss: Double, seed: UInt64
    ) -> [UInt64] {
        let link = LinkConditions.link(delay: 25_000, loss: loss)
        var path = SimulatedPath(
            KCPConversation(conversationID: 1, configuration: configuration, now: .start),
            KCPConversation(conversationID: 1, configuration: configuration, now: .start),
            forward: link, backward: link, seed: seed)
        let message = [UInt8](repeating: 1, count: size)
        var sentAt: [UInt64] = []
        var latencies: [UInt64] = []
        var echoed = 0
        path.run(until: 600_000_000) { path in
            let arrived = path.second.read()
            if !arrived.isEmpty { _ = path.second.write(arrived) }
            echoed += path.first.read().count
            while latencies.count < echoed / size { latencies.append(path.now - sentAt[latencies.count]) }
            while sentAt.count < 400, UInt64(sentAt.count) * interval <= path.now {
                _ = path.first.write(message)
                sentAt.append(path.now)
            }
            if latencies.count == 400 { return nil }
            return sentAt.count < 400 ? UInt64(sentAt.count) * interval : .max
        }
        return latencies
    }

    /// 50 ms, 5 % loss in each direction; there and back, so two messages each.
    @Test(arguments: [20_000, 50_000, 200_000] as [UInt64], [KCPLatencyMode.balanced, .turbo])
    func theSlowestHundredthOfMessagesTakesThreeRoundTrips(interval: UInt64, mode: KCPLatencyMode) {
        let all = (1...3).flatMap { seed in
            latencies(KCPConfiguration(.rateBased, mode), every: interval, size: 554, loss: 0.05, seed: seed)
        }.sorted()
        #expect(all.count == 1200)
        #expect(all[all.count / 2] < 60_000)
        #expect(all[all.count * 99 / 100] <= 150_000)
    }

    @Test func turboAnswersSoonerThanTheDefaultWhereMessagesGetLost() {
        func slow(_ mode: KCPLatencyMode) -> UInt64 {
            let all = latencies(KCPConfiguration(.rateBased, mode), every: 200_000, size: 554, loss: 0.05, seed: 5)
            return all.sorted()[all.count * 95 / 100]
        }
        #expect(slow(.turbo) + 10_000 < slow(.balanced))
    }
}
