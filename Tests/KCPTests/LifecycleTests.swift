import KamuneTestKit
import Testing

@testable import KCP

/// Windows, timers, the end of a conversation, and what goes out to whom.
struct LifecycleTests {
    private func pair(
        _ configuration: KCPConfiguration = KCPConfiguration(), delay: UInt64 = 10_000
    ) -> SimulatedPath<KCPConversation, KCPConversation> {
        SimulatedPath(
            KCPConversation(conversationID: 1, configuration: configuration, now: .start),
            KCPConversation(conversationID: 1, configuration: configuration, now: .start),
            forward: .link(delay: delay), backward: .link(delay: delay), seed: 1)
    }

    @Test func aNewConversationWaitsForNothing() {
        var conversation = KCPConversation(conversationID: 1, now: .start)
        #expect(conversation.nextDatagram(now: .start) == nil)
        #expect(conversation.nextDeadline == nil)
    }

    /// No packet but what the application sends: the timers rest once all is acknowledged.
    @Test func anIdleConversationSendsNothingAndHasNoDeadline() {
        var path = pair()
        var stream = TestStream(count: 100_000, seed: 1)
        path.run(until: 10_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return .max
        }
        #expect(stream.isComplete)
        #expect(path.first.nextDeadline == nil && path.second.nextDeadline == nil)
        #expect(path.forward.nextArrivalTime == nil && path.backward.nextArrivalTime == nil)
    }

    @Test func anIdleConversationHoldsNoBuffers() {
        var path = pair()
        var stream = TestStream(count: 1_000_000, seed: 1)
        path.run(until: 60_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return .max
        }
        #expect(stream.isComplete)
        #expect(path.first.sending.capacity <= 32 && path.second.receiving.capacity <= 65_536)
        #expect(path.first.flight.capacity <= 16)
    }

    @Test(arguments: [100, 576, 1232, 1400])
    func noDatagramExceedsTheConfiguredSize(size: Int) {
        var configuration = KCPConfiguration()
        configuration.maximumDatagramSize = size
        var path = pair(configuration)
        path.forward.conditions.loss = .random(0.1)
        path.backward.conditions.loss = .random(0.1)
        var stream = TestStream(count: 60_000, seed: 1)
        var back = TestStream(count: 60_000, seed: 2)
        var largest = 0
        path.run(until: 60_000_000) { path in
            stream.send(from: &path.first)
            back.send(from: &path.second)
            while let datagram = path.first.nextDatagram(at: path.now) {
                largest = max(largest, datagram.count)
                path.forward.send(datagram, at: path.now)
            }
            stream.receive(at: &path.second)
            back.receive(at: &path.first)
            return stream.isComplete && back.isComplete ? nil : .max
        }
        #expect(stream.isComplete && back.isComplete)
        #expect(largest <= size)
    }

    /// RFC 8200: every IPv6 path carries packets of 1280 bytes, of which 40 are IP's and 8 UDP's.
    @Test func theDefaultDatagramFitsEveryIPv6PathUnfragmented() {
        #expect(KCPConfiguration().maximumDatagramSize + 40 + 8 <= 1280)
    }

    @Test func largerDatagramsThanTheOwnAreTakenIn() throws {
        var conversation = KCPConversation(conversationID: 1, now: .start)
        let header = KCPHeader(
            conversationID: 1, command: .push, window: 32, timestamp: 0, sequenceNumber: 0, unacknowledged: 0,
            payloadSize: 0)
        var bytes: [UInt8] = []
        KCPSegment(header: header, payload: [UInt8](repeating: 1, count: 1476)).encode(into: &bytes)
        try conversation.receivedDatagram(bytes, now: .start)
        #expect(conversation.readableByteCount == 1476)
    }

    @Test func aReaderThatStopsStopsTheWriterAndLosesNothing() {
        var configuration = KCPConfiguration()
        configuration.receiveWindow = 32
        configuration.receiveBufferSize = 64 * 1376
        configuration.sendBufferSize = 100_000
        var path = pair(configuration)
        var stream = TestStream(count: 500_000, seed: 1)
        // Nobody reads for 20 s.
        path.run(until: 20_000_000) { path in
            stream.send(from: &path.first)
            return path.now + 50_000
        }
        #expect(stream.sent < 200_000)
        #expect(path.second.readableByteCount <= configuration.receiveBufferSize)
        #expect(path.first.state == .alive)
        let sentWhileClosed = path.first.statistics.datagramsSent
        path.run(until: 50_000_000) { _ in .max }
        // Only probes for the window, some seconds apart.
        #expect(path.first.statistics.datagramsSent - sentWhileClosed < 12)
        let isDone = path.run(until: 60_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : .max
        }
        #expect(isDone && stream.firstDifference == nil)
        #expect(path.now < 52_000_000)
    }

    @Test func aReopenedWindowIsToldEvenIfTheReportIsLost() {
        var configuration = KCPConfiguration()
        configuration.receiveWindow = 8
        configuration.receiveBufferSize = 16 * 1376
        var path = pair(configuration)
        var stream = TestStream(count: 100_000, seed: 1)
        path.run(until: 5_000_000) { path in
            stream.send(from: &path.first)
            return path.now + 50_000
        }
        path.backward.conditions.blackouts = [5_000_000..<7_000_000]
        let isDone = path.run(until: 60_000_000) { path in
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : .max
        }
        #expect(isDone && stream.firstDifference == nil)
        #expect(path.now < 14_000_000)
    }

    @Test func aVanishedPeerIsNoticedAfterTheSilenceLimit() {
        var configuration = KCPConfiguration()
        configuration.silenceLimit = .seconds(30)
        var conversation = KCPConversation(conversationID: 1, configuration: configuration, now: .start)
        _ = conversation.write([1, 2, 3])
        var now: UInt64 = 0
        var sent = 0
        while conversation.state == .alive, now < 120_000_000 {
            while conversation.nextDatagram(at: now) != nil { sent += 1 }
            guard let deadline = conversation.deadline else { break }
            now = max(now + 1, deadline)
        }
        #expect(conversation.state != .alive)
        #expect(now >= 15_000_000 && now <= 31_000_000)
        #expect(sent >= 8 && sent <= 40)
        #expect(conversation.write([1]) == 0)
        #expect(conversation.nextDatagram(at: now) == nil && conversation.nextDeadline == nil)
    }

    @Test func whatHasArrivedCanBeReadFromADeadConversation() {
        var path = pair()
        path.run(until: 1_000_000) { path in
            if path.now == 0 { _ = path.second.write([1, 2, 3]) }
            return .max
        }
        path.forward.conditions.blackouts = [0..<UInt64.max]
        path.run(until: 200_000_000) { path in
            if path.first.unacknowledgedByteCount == 0 { _ = path.first.write([9]) }
            return path.first.state == .alive ? .max : nil
        }
        #expect(path.first.state != .alive)
        #expect(path.first.read() == [1, 2, 3])
    }

    @Test(arguments: [1, 2, 3])
    func anUnprovenPeerGetsNoMoreBytesThanItSentTimesTheLimit(limit: Int) throws {
        var configuration = KCPConfiguration()
        configuration.amplificationLimit = limit
        configuration.timestampBase = 77
        var conversation = KCPConversation(conversationID: 1, configuration: configuration, now: .start)
        let header = KCPHeader(
            conversationID: 1, command: .push, window: 32, timestamp: 0, sequenceNumber: 0, unacknowledged: 0,
            payloadSize: 0)
        var opening: [UInt8] = []
        KCPSegment(header: header, payload: [UInt8](repeating: 0, count: 500)).encode(into: &opening)
        try conversation.receivedDatagram(opening, now: .start)
        _ = conversation.write([UInt8](repeating: 0, count: 100_000))
        var out = 0
        // Long enough for many repetitions.
        for step: UInt64 in 0..<200 {
            while let datagram = conversation.nextDatagram(now: .milliseconds(step * 100)) { out += datagram.count }
        }
        #expect(out > 0 && out <= limit * opening.count)
    }

    /// Whatever the sizes of the first messages, the limit does not bring the conversation to a halt.
    @Test(arguments: [1, 3, 100, 1218], [1, 100, 2338, 100_000])
    func aLimitedPeerAnswersMessagesOfAnySize(opening: Int, answer: Int) {
        var limited = KCPConfiguration()
        limited.amplificationLimit = 1
        limited.timestampBase = 77
        var path = SimulatedPath(
            KCPConversation(conversationID: 1, now: .start),
            KCPConversation(conversationID: 1, configuration: limited, now: .start),
            forward: .link(delay: 20_000), backward: .link(delay: 20_000), seed: 1)
        var there = TestStream(count: opening, seed: 1)
        var back = TestStream(count: answer, seed: 2)
        var wasExceeded = false
        let isDone = path.run(until: 5_000_000) { path in
            there.send(from: &path.first)
            there.receive(at: &path.second)
            // Late, when the opening was acknowledged long ago.
            if there.isComplete, path.now > 500_000 { back.send(from: &path.second) }
            back.receive(at: &path.first)
            let statistics = path.second.statistics
            if !path.second.isPeerReachable, statistics.bytesSent > statistics.bytesReceived { wasExceeded = true }
            return back.isComplete ? nil : path.now > 500_000 ? .max : 500_001
        }
        #expect(isDone && back.firstDifference == nil && !wasExceeded)
        #expect(path.now < 800_000)
    }

    /// Its first write is the length of a frame, 26 bytes on the wire; the rest waits for the acknowledgement.
    @Test func aLimitedPeerAnswersTheHandshakeOfAGoPeer() {
        var limited = KCPConfiguration()
        limited.amplificationLimit = 1
        var path = SimulatedPath(
            GoPeer(conversationID: 1), KCPConversation(conversationID: 1, configuration: limited, now: .start),
            forward: .link(delay: 20_000), backward: .link(delay: 20_000), seed: 1)
        var there = TestStream(count: 1218, seed: 1)
        var back = TestStream(count: 2340, seed: 2)
        let isDone = path.run(until: 5_000_000) { path in
            there.send(from: &path.first, atMost: there.sent == 0 ? 2 : .max)
            there.receive(at: &path.second)
            if there.isComplete { back.send(from: &path.second) }
            back.receive(at: &path.first)
            return back.isComplete ? nil : .max
        }
        #expect(isDone && there.firstDifference == nil && back.firstDifference == nil)
        #expect(path.now < 300_000)
    }

    @Test func aPeerThatAnswersIsProvenAndTheLimitGoes() {
        var limited = KCPConfiguration()
        limited.amplificationLimit = 1
        limited.timestampBase = 77
        var path = SimulatedPath(
            KCPConversation(conversationID: 1, now: .start),
            KCPConversation(conversationID: 1, configuration: limited, now: .start),
            forward: .link(delay: 300_000), backward: .link(delay: 300_000), seed: 1)
        var there = TestStream(count: 600, seed: 1)
        var back = TestStream(count: 100_000, seed: 2)
        let isDone = path.run(until: 30_000_000) { path in
            there.send(from: &path.first)
            there.receive(at: &path.second)
            if there.isComplete { back.send(from: &path.second) }
            back.receive(at: &path.first)
            return back.isComplete ? nil : .max
        }
        #expect(isDone && path.second.isPeerReachable)
        #expect(path.now < 10_000_000)
    }

    @Test func aClockThatGoesBackIsTakenAsStandingStill() {
        var conversation = KCPConversation(conversationID: 1, now: .milliseconds(1000))
        _ = conversation.write([1])
        #expect(conversation.nextDatagram(now: .milliseconds(500)) != nil)
        #expect(conversation.nextDatagram(now: .start) == nil)
        #expect(conversation.nextDeadline == .milliseconds(1200))
    }

    @Test func configurationsOutOfRangeAreClampedAndWork() {
        var configuration = KCPConfiguration()
        configuration.maximumDatagramSize = -5
        configuration.receiveWindow = 0
        configuration.receiveBufferSize = -1
        configuration.sendWindow = .max
        configuration.sendBufferSize = 0
        configuration.maximumTransmissions = .min
        configuration.silenceLimit = .seconds(Int64.max)
        var path = pair(configuration)
        var stream = TestStream(count: 50, seed: 1)
        let isDone = path.run(until: 60_000_000) { path in
            stream.send(from: &path.first)
            stream.receive(at: &path.second)
            return stream.isComplete ? nil : .max
        }
        #expect(isDone && stream.firstDifference == nil)
    }
}
