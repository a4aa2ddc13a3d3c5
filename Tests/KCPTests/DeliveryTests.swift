import Foundation
import KamuneTestKit
import Testing

@testable import KCP

/// Every byte arrives once and in order, whatever the network does, on virtual time.
struct DeliveryTests {
    /// How many seeds to run; `KAMUNE_KCP_SEEDS` asks for more than the quick default.
    static let seedCount = ProcessInfo.processInfo.environment["KAMUNE_KCP_SEEDS"].flatMap { UInt64($0) } ?? 1500

    /// A network and two policies drawn from the seed: up to 30 % loss, alone or in bursts, and all else that happens.
    struct Draw {
        var forward = LinkConditions()
        var backward = LinkConditions()
        var first = KCPConfiguration()
        var second = KCPConfiguration()
        var counts: (Int, Int)
        var writeLimit: Int
        var readInterval: UInt64
        var firstNumbers: (UInt32, UInt32)

        init(seed: UInt64) {
            var random = SeededRandom(seed)
            func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
            func link() -> LinkConditions {
                var link = LinkConditions()
                link.delay = UInt64([0, 500, 10_000, 25_000, 100_000, 400_000][below(6)])
                link.jitter = random.chance(0.5) ? link.delay / 2 + 1000 : 0
                let loss = [0, 0.01, 0.05, 0.15, 0.3][below(5)]
                link.loss = random.chance(0.5) ? .random(loss) : .bursts(share: loss, meanLength: 4)
                if random.chance(0.5) {
                    link.reordering = 0.1
                    link.reorderingDelay = UInt64(1000 + below(60_000))
                }
                if random.chance(0.4) { link.duplication = 0.1 }
                if random.chance(0.3) { link.corruption = 0.05 }
                if random.chance(0.3) {
                    link.rate = Double([4000, 20_000, 200_000, 2_000_000][below(4)])
                    link.queueSize = 3000 + below(60_000)
                }
                if random.chance(0.2) {
                    let start = UInt64(below(2_000_000))
                    link.blackouts = [start..<start + UInt64(below(8_000_000))]
                }
                return link
            }
            func policy() -> KCPConfiguration {
                var policy = KCPConfiguration()
                policy.congestionControl = KCPCongestionControl.allCases[below(3)]
                policy.latencyMode = random.chance(0.3) ? .turbo : .balanced
                policy.maximumDatagramSize = [100, 512, 1232, 1400][below(4)]
                policy.receiveWindow = [4, 32, 128, 4096][below(4)]
                policy.receiveBufferSize = [8192, 64 * 1376, 4096 * 1376][below(3)]
                policy.sendWindow = [2, 32, 4096][below(3)]
                policy.sendBufferSize = [3000, 1 << 20][below(2)]
                policy.timestampBase = UInt32(truncatingIfNeeded: random.next())
                policy.silenceLimit = .seconds(600)
                return policy
            }
            forward = link()
            backward = random.chance(0.5) ? forward : link()
            first = policy()
            second = random.chance(0.5) ? first : policy()
            counts = (below(8000), below(8000))
            writeLimit = [1, 100, 5000, .max][below(4)] == 1 ? 37 : [100, 5000, .max][below(3)]
            readInterval = random.chance(0.3) ? UInt64(10_000 + below(300_000)) : 0
            firstNumbers = random.chance(0.5) ? (0, 0) : (.max - UInt32(below(20)), .max - UInt32(below(20)))
        }

        func path(seed: UInt64) -> SimulatedPath<KCPConversation, KCPConversation> {
            SimulatedPath(
                KCPConversation(
                    conversationID: 7, configuration: first, now: .start,
                    firstSent: firstNumbers.0, firstReceived: firstNumbers.1),
                KCPConversation(
                    conversationID: 7, configuration: second, now: .start,
                    firstSent: firstNumbers.1, firstReceived: firstNumbers.0),
                forward: forward, backward: backward, seed: seed)
        }
    }

    private static let parts: UInt64 = 8

    @Test(arguments: 0..<parts)
    func everyByteArrivesOnceInOrderAndMemoryStaysWithinItsBound(part: UInt64) {
        for seed in stride(from: part, to: Self.seedCount, by: Int(Self.parts)) {
            let draw = Draw(seed: seed)
            var path = draw.path(seed: seed)
            var there = TestStream(count: draw.counts.0, seed: seed)
            var back = TestStream(count: draw.counts.1, seed: seed &+ 1)
            var nextRead: UInt64 = 0
            var excess = 0
            let isDone = path.run(until: 1_000_000_000) { path in
                there.send(from: &path.first, atMost: draw.writeLimit)
                back.send(from: &path.second, atMost: draw.writeLimit)
                if path.now >= nextRead {
                    there.receive(at: &path.second)
                    back.receive(at: &path.first)
                    nextRead = path.now + draw.readInterval
                }
                excess = max(excess, path.first.bytesBeyondBound, path.second.bytesBeyondBound)
                let isOver =
                    there.isComplete && back.isComplete && path.first.unacknowledgedByteCount == 0
                    && path.second.unacknowledgedByteCount == 0
                return isOver ? nil : draw.readInterval > 0 ? nextRead : .max
            }
            #expect(
                isDone && there.firstDifference == nil && back.firstDifference == nil && excess == 0,
                "seed \(seed): \(path.now) µs, \(path.first.state), \(path.second.state), \(there.received) of \(there.bytes.count), \(back.received) of \(back.bytes.count)"
            )
        }
    }

    /// The checksum of UDP does not keep forgers out. What they do may spoil the stream, which the layer above notices,
    /// but neither the process nor the bound.
    @Test(arguments: 0..<parts)
    func forgedBitsNeverTrapNorExceedTheBound(part: UInt64) {
        for seed in stride(from: part, to: Self.seedCount / 4, by: Int(Self.parts)) {
            var draw = Draw(seed: seed)
            draw.forward.corruption = 0.2
            draw.forward.corruptionMode = .delivered
            draw.backward.corruption = 0.2
            draw.backward.corruptionMode = .delivered
            var path = draw.path(seed: seed)
            var there = TestStream(count: draw.counts.0, seed: seed)
            var back = TestStream(count: draw.counts.1, seed: seed &+ 1)
            var excess = 0
            path.run(until: 20_000_000) { path in
                there.send(from: &path.first)
                back.send(from: &path.second)
                there.receive(at: &path.second)
                back.receive(at: &path.first)
                excess = max(excess, path.first.bytesBeyondBound, path.second.bytesBeyondBound)
                return there.received >= there.bytes.count && back.received >= back.bytes.count ? nil : .max
            }
            #expect(excess == 0, "seed \(seed)")
        }
    }

    /// Both kinds of blackout: nothing arrives at the other side, or its acknowledgements do not.
    @Test(arguments: [true, false])
    func aBlackoutInOneDirectionEndsInDeliverySoonAfterIt(isForward: Bool) {
        var path = SimulatedPath(
            KCPConversation(conversationID: 1, now: .start), KCPConversation(conversationID: 1, now: .start),
            forward: .link(delay: 25_000), backward: .link(delay: 25_000), seed: 1)
        let blackout: Range<UInt64> = 1_000_000..<16_000_000
        if isForward { path.forward.conditions.blackouts = [blackout] }
        if !isForward { path.backward.conditions.blackouts = [blackout] }
        var stream = TestStream(count: 300_000, seed: 4)
        let isDone = path.run(until: 60_000_000) { path in
            // A little all the time, so that something is under way when it gets dark.
            stream.send(from: &path.first, atMost: 100)
            stream.receive(at: &path.second)
            if stream.sent > 20_000, path.now < blackout.upperBound { return path.now + 10_000 }
            return stream.isComplete && path.first.unacknowledgedByteCount == 0 ? nil : path.now + 1000
        }
        #expect(isDone && stream.firstDifference == nil)
        #expect(path.now < blackout.upperBound + 8_000_000)
    }

    @Test func sequenceNumbersWrapWithoutANotice() {
        var path = SimulatedPath(
            KCPConversation(
                conversationID: 1, configuration: KCPConfiguration(), now: .start, firstSent: .max - 300,
                firstReceived: .max - 5),
            KCPConversation(
                conversationID: 1, configuration: KCPConfiguration(), now: .start, firstSent: .max - 5,
                firstReceived: .max - 300),
            forward: .link(delay: 5000, loss: 0.05), backward: .link(delay: 5000, loss: 0.05), seed: 3)
        var stream = TestStream(count: 1_000_000, seed: 3)
        let isDone = path.run(until: 60_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : .max
        }
        #expect(isDone && stream.firstDifference == nil)
        #expect(path.first.sending.next < 1000)
    }

    /// Twice the first timeout long: without the echoed times no measurement would ever come of it.
    @Test func aPathLongerThanTheFirstTimeoutIsMeasuredAndNotFlooded() throws {
        var path = SimulatedPath(
            KCPConversation(conversationID: 1, now: .start), KCPConversation(conversationID: 1, now: .start),
            forward: .link(delay: 400_000), backward: .link(delay: 400_000), seed: 3)
        var stream = TestStream(count: 50_000, seed: 3)
        path.run(until: 60_000_000) { path in
            stream.send(from: &path.first, atMost: 100)
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : path.now + 100_000
        }
        #expect(stream.isComplete && stream.firstDifference == nil)
        let measured = try #require(path.first.smoothedRoundTrip)
        #expect(measured >= .milliseconds(800) && measured < .milliseconds(1000))
        #expect(path.first.statistics.segmentsRepeated < 20)
    }
}

extension KCPConversation {
    /// How much more the conversation holds than its configuration allows.
    var bytesBeyondBound: Int {
        let received = receiving.readableCount + receiving.aheadBytes - configuration.receiveBufferSize
        let sent = sending.byteCount - configuration.sendBufferSize
        let acknowledgements = self.acknowledgements.count - KCPLimits.mostPendingAcknowledgements
        let ahead = receiving.aheadCount - configuration.receiveWindow
        let inFlight = sending.sentCount - configuration.sendWindow
        let lost = flight.lostCount - configuration.sendWindow
        // A segment in order is taken in whole as long as there is any room; that much may be over.
        return max(
            0, received - configuration.maximumReceivedDatagramSize, sent, acknowledgements, ahead, inFlight, lost)
    }
}
