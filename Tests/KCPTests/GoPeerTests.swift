import KamuneTestKit
import Testing

@testable import KCP

/// Towards a peer that runs kcp-go with its defaults: windows of 32 segments, a clock of 100 ms, late acknowledgements.
struct GoPeerTests {
    private func ours() -> KCPConversation { KCPConversation(conversationID: 5, now: .start) }

    /// Bytes per second of a transfer in one direction.
    private func rate<First: PathEnd, Second: PathEnd>(
        from first: First, to second: Second, link: LinkConditions, count: Int, seed: UInt64 = 1
    ) -> Double {
        var path = SimulatedPath(first, second, forward: link, backward: link, seed: seed)
        var stream = TestStream(count: count, seed: seed)
        let isDone = path.run(until: 600_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : .max
        }
        guard isDone, stream.firstDifference == nil else { return 0 }
        return Double(count) * 1_000_000 / Double(path.now)
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func everyByteArrivesInBothDirections(seed: UInt64) {
        var random = SeededRandom(seed)
        var link = LinkConditions.link(
            delay: [100, 10_000, 50_000, 200_000][Int(random.next() % 4)],
            loss: [0, 0.01, 0.1, 0.2][Int(random.next() % 4)])
        link.jitter = random.chance(0.5) ? 5000 : 0
        link.duplication = random.chance(0.3) ? 0.1 : 0
        link.reordering = random.chance(0.3) ? 0.1 : 0
        var path = SimulatedPath(ours(), GoPeer(conversationID: 5), forward: link, backward: link, seed: seed)
        var there = TestStream(count: Int(random.next() % 100_000), seed: seed)
        var back = TestStream(count: Int(random.next() % 50_000), seed: ~seed)
        let isDone = path.run(until: 1_000_000_000) { path in
            there.send(from: &path.first, atMost: 9000)
            back.send(from: &path.second, atMost: 9000)
            there.receive(at: &path.second)
            back.receive(at: &path.first)
            return there.isComplete && back.isComplete && path.second.isIdle ? nil : .max
        }
        #expect(isDone && there.firstDifference == nil && back.firstDifference == nil)
        #expect(path.second.malformed == 0)
    }

    /// On loopback two such peers reach some hundred kilobytes per second; acknowledging at once lets one do far more.
    @Test func acknowledgingAtOnceLetsAGoPeerSendAtLeastTwiceAsFastAsToAnother() {
        let link = LinkConditions.link(delay: 50)
        let alone = rate(from: GoPeer(conversationID: 5), to: GoPeer(conversationID: 5), link: link, count: 2_000_000)
        let together = rate(from: GoPeer(conversationID: 5), to: ours(), link: link, count: 4_000_000)
        #expect(alone > 100_000)
        #expect(together > 2 * alone)
    }

    @Test func aGoPeerIsSentToAtLeastTwiceAsFastAsByAnother() {
        let link = LinkConditions.link(delay: 50)
        let alone = rate(from: GoPeer(conversationID: 5), to: GoPeer(conversationID: 5), link: link, count: 2_000_000)
        let together = rate(from: ours(), to: GoPeer(conversationID: 5), link: link, count: 4_000_000)
        #expect(together > 2 * alone)
    }

    /// The window of such a peer is full before its reader wakes up, and it says by its clock only that it is empty again.
    @Test func aGoPeerThatReadsAMomentLaterIsSentToAsFast() {
        func rate(of ours: some PathEnd) -> Double {
            let link = LinkConditions.link(delay: 50)
            var path = SimulatedPath(ours, GoPeer(conversationID: 5), forward: link, backward: link, seed: 1)
            var stream = TestStream(count: 2_000_000, seed: 1)
            let isDone = path.run(until: 600_000_000) { path in
                stream.send(from: &path.first)
                // Once in a millisecond.
                if path.now % 1000 == 0 { stream.receive(at: &path.second) }
                return stream.isComplete ? nil : (path.now / 1000 + 1) * 1000
            }
            return isDone && stream.firstDifference == nil ? 2e12 / Double(path.now) : 0
        }
        let alone = rate(of: GoPeer(conversationID: 5))
        #expect(alone > 100_000)
        #expect(rate(of: ours()) > 20 * alone)
    }

    /// So a large message is not held up by its first windows, which are smaller than the peer's.
    @Test func aGoPeerAcknowledgesWhatTheFirstWindowHolds() {
        let link = LinkConditions.link(delay: 50)
        var path = SimulatedPath(ours(), GoPeer(conversationID: 5), forward: link, backward: link, seed: 1)
        // An exchange before, so that we know each other.
        var greeting = TestStream(count: 100, seed: 1)
        path.run(until: 1_000_000) { path in
            greeting.send(from: &path.first)
            greeting.receive(at: &path.second)
            return greeting.isComplete && path.first.unacknowledgedByteCount == 0 ? nil : .max
        }
        let start = path.now
        var stream = TestStream(count: 30_000, seed: 2)
        path.run(until: 10_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : .max
        }
        #expect(stream.isComplete && path.now - start < 5000)
    }

    /// Asking costs little when the peer does not read at all.
    @Test func aGoPeerThatDoesNotReadIsNotAskedForEver() {
        let link = LinkConditions.link(delay: 50)
        var path = SimulatedPath(ours(), GoPeer(conversationID: 5), forward: link, backward: link, seed: 1)
        var stream = TestStream(count: 200_000, seed: 1)
        path.second.isReading = false
        path.run(until: 10_000_000) { path in
            stream.send(from: &path.first)
            return .max
        }
        #expect(path.first.state == .alive)
        #expect(path.first.statistics.bytesSent < 32 * 1376 + 20_000)
    }

    /// A listener sends little to an address that has proven nothing. The proof should not wait for the peer's clock.
    @Test func aGoPeerThatDialsProvesItsAddressAtOnce() {
        var configuration = KCPConfiguration()
        configuration.amplificationLimit = 1
        configuration.timestampBase = 77
        let listener = KCPConversation(conversationID: 5, configuration: configuration, now: .start)
        let link = LinkConditions.link(delay: 50)
        var path = SimulatedPath(GoPeer(conversationID: 5), listener, forward: link, backward: link, seed: 1)
        // A frame as Go writes it: the length by itself. It is answered after a millisecond.
        _ = path.first.send([4, 192])
        _ = path.first.send([UInt8](repeating: 1, count: 1216)[...])
        var asked = 0
        var answerAt: UInt64?
        var answered = 0
        let isDone = path.run(until: 1_000_000) { path in
            asked += path.second.takeReceived().count
            if asked == 1218, answerAt == nil { answerAt = path.now + 1000 }
            if let time = answerAt, time <= path.now, time != .max {
                _ = path.second.write([UInt8](repeating: 2, count: 2300))
                answerAt = .max
            }
            answered += path.first.takeReceived().count
            return answered == 2300 ? nil : answerAt ?? .max
        }
        #expect(isDone && path.now < 3000)
    }

    /// Its acknowledgements come up to 100 ms late. That is no loss: hardly anything is sent twice.
    @Test(arguments: [50, 10_000, 100_000] as [UInt64])
    func lateAcknowledgementsAreNotTakenForLosses(delay: UInt64) {
        var path = SimulatedPath(
            ours(), GoPeer(conversationID: 5), forward: .link(delay: delay), backward: .link(delay: delay), seed: 1)
        var stream = TestStream(count: 300_000, seed: 1)
        path.run(until: 600_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return stream.isComplete && path.first.unacknowledgedByteCount == 0 ? nil : .max
        }
        #expect(stream.isComplete)
        // But for the first, sent before there was a measurement.
        #expect(path.first.statistics.segmentsRepeated <= 10)
    }

    @Test func noMoreSegmentsAreUnderWayThanItsWindowHolds() {
        var path = SimulatedPath(
            ours(), GoPeer(conversationID: 5), forward: .link(delay: 50_000), backward: .link(delay: 50_000), seed: 1)
        var stream = TestStream(count: 1_000_000, seed: 1)
        var most = 0
        path.run(until: 600_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            most = max(most, path.first.sending.sentCount)
            return stream.isComplete ? nil : .max
        }
        #expect(stream.isComplete && most == 32)
    }

    @Test func aGoPeerThatDoesNotReadIsProbedAndResumes() {
        var path = SimulatedPath(
            ours(), GoPeer(conversationID: 5), forward: .link(delay: 10_000), backward: .link(delay: 10_000), seed: 1)
        var stream = TestStream(count: 200_000, seed: 1)
        path.second.isReading = false
        path.run(until: 20_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return path.now + 20_000
        }
        #expect(stream.received == 0 && path.first.state == .alive)
        path.second.isReading = true
        let isDone = path.run(until: 40_000_000) { path in
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : path.now + 20_000
        }
        #expect(isDone && stream.firstDifference == nil)
        #expect(path.now < 26_000_000)
    }

    @Test func aSmallMessageToAGoPeerTakesHalfARoundTrip() {
        var path = SimulatedPath(
            ours(), GoPeer(conversationID: 5), forward: .link(delay: 20_000), backward: .link(delay: 20_000), seed: 1)
        var sentAt: [UInt64] = []
        var received = 0
        var late = 0
        path.run(until: 20_000_000) { path in
            let arrived = path.second.takeReceived().count / 500
            for index in received..<received + arrived where path.now - sentAt[index] > 21_000 { late += 1 }
            received += arrived
            if path.now >= UInt64(sentAt.count) * 37_000 {
                _ = path.first.write([UInt8](repeating: 1, count: 500))
                sentAt.append(path.now)
            }
            return received >= 200 ? nil : UInt64(sentAt.count) * 37_000
        }
        #expect(received >= 200 && late == 0)
    }
}
