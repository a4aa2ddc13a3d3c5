import KamuneTestKit
import Testing

@testable import KCP

/// Datagrams that no honest peer sends: a typed error and no change, or no effect beyond the bound.
struct HostileDatagramTests {
    /// A conversation with segments under way, bytes to read and a gap.
    private func busyConversation() -> KCPConversation {
        var conversation = KCPConversation(conversationID: 9, now: .start)
        _ = conversation.write([UInt8](repeating: 1, count: 5000))
        while conversation.nextDatagram(now: .start) != nil {}
        for number: UInt32 in [0, 1, 3, 7] {
            try? conversation.receivedDatagram(datagram(.push, number: number, payload: [1, 2, 3]), now: .start)
        }
        return conversation
    }

    private func datagram(
        _ command: KCPCommand, conversation: UInt32 = 9, number: UInt32 = 0, unacknowledged: UInt32 = 0,
        window: UInt16 = 32, timestamp: UInt32 = 0, payload: [UInt8] = []
    ) -> [UInt8] {
        let header = KCPHeader(
            conversationID: conversation, command: command, window: window, timestamp: timestamp,
            sequenceNumber: number, unacknowledged: unacknowledged, payloadSize: 0)
        var bytes: [UInt8] = []
        KCPSegment(header: header, payload: payload).encode(into: &bytes)
        return bytes
    }

    /// What an observer can see of a conversation, and what it would send next.
    private func state(_ conversation: KCPConversation) -> [String] {
        var copy = conversation
        var out: [[UInt8]] = []
        while let datagram = copy.nextDatagram(now: .start) { out.append(datagram) }
        return [
            "\(conversation.statistics)", "\(conversation.sending.oldest)", "\(conversation.receiving.next)",
            "\(conversation.readableByteCount)", "\(conversation.receiving.aheadCount)", "\(conversation.peerWindow)",
            "\(conversation.lastHeard)", "\(conversation.bytesInFlight)", "\(out)",
        ]
    }

    @Test func aRefusedDatagramSaysWhyAndChangesNothing() {
        let good = datagram(.push, number: 2, payload: [9, 9])
        var unknown = good
        unknown[4] = 80
        var long = good
        long[20] = 3
        var huge = good
        huge.replaceSubrange(20..<24, with: [255, 255, 255, 255])
        let mixed = good + datagram(.push, conversation: 10, number: 4)
        let cases: [([UInt8], KCPError)] = [
            ([], .truncatedHeader(remaining: 0)),
            ([0], .truncatedHeader(remaining: 1)),
            (Array(good.prefix(23)), .truncatedHeader(remaining: 23)),
            (good + [1, 2, 3], .truncatedHeader(remaining: 3)),
            (Array(good.dropLast()), .truncatedPayload(announced: 2, remaining: 1)),
            (long, .truncatedPayload(announced: 3, remaining: 2)),
            (huge, .truncatedPayload(announced: Int(UInt32.max), remaining: 2)),
            (unknown, .unknownCommand(80)),
            (good + unknown, .unknownCommand(80)),
            (datagram(.push, conversation: 10), .conversationMismatch(10)),
            (mixed, .conversationMismatch(10)),
            (datagram(.acknowledge, unacknowledged: 6), .acknowledgesUnsent(sequenceNumber: 6)),
            (datagram(.windowReport, unacknowledged: 0x7FFF_FFFF), .acknowledgesUnsent(sequenceNumber: 0x7FFF_FFFF)),
            ([UInt8](repeating: 0, count: 65_508), .datagramTooLarge(size: 65_508)),
        ]
        let untouched = busyConversation()
        #expect(untouched.sending.next == 5)
        for (bytes, error) in cases {
            var conversation = untouched
            #expect(throws: error, "\(bytes.prefix(48))") {
                try conversation.receivedDatagram(bytes, now: .milliseconds(1))
            }
            #expect(state(conversation) == state(untouched), "\(error)")
        }
    }

    @Test func everyTruncationOfAValidDatagramIsRefusedOrAWholePrefix() throws {
        let whole = datagram(.acknowledge, number: 1) + datagram(.push, number: 2, payload: Array(0..<50))
        for count in 0..<whole.count {
            var conversation = busyConversation()
            if count == KCPHeader.size {
                try conversation.receivedDatagram(Array(whole.prefix(count)), now: .start)
            } else {
                #expect(throws: KCPError.self) {
                    try conversation.receivedDatagram(Array(whole.prefix(count)), now: .start)
                }
            }
        }
    }

    @Test(arguments: [6, 8, 5 + 4096, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] as [UInt32])
    func acknowledgementsOfNumbersNeverSentAreIgnored(number: UInt32) throws {
        var conversation = busyConversation()
        let before = conversation.unacknowledgedByteCount
        try conversation.receivedDatagram(datagram(.acknowledge, number: number), now: .milliseconds(10))
        #expect(conversation.unacknowledgedByteCount == before)
        #expect(conversation.smoothedRoundTrip == nil)
    }

    @Test(arguments: [2 + 4096, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0002, 0xFFFF_FFFF, 0] as [UInt32])
    func pushesOutsideOfTheWindowAreNotKept(number: UInt32) throws {
        var conversation = busyConversation()
        let readable = conversation.readableByteCount
        try conversation.receivedDatagram(datagram(.push, number: number, payload: [5]), now: .milliseconds(10))
        #expect(conversation.readableByteCount == readable)
        #expect(conversation.receiving.aheadCount == 2)
    }

    @Test func aReplayedDatagramDeliversNothingTwice() throws {
        var conversation = KCPConversation(conversationID: 9, now: .start)
        let first = datagram(.push, number: 0, payload: [1])
        let third = datagram(.push, number: 2, payload: [3])
        for bytes in [first, third, first, third, first, datagram(.push, number: 1, payload: [2]), third, first] {
            try conversation.receivedDatagram(bytes, now: .start)
        }
        #expect(conversation.read() == [1, 2, 3])
    }

    /// 40,000 forged acknowledgements take no more memory and answer no more than the bound.
    @Test func aFloodOfDuplicatesIsAnsweredWithoutGrowth() throws {
        var conversation = busyConversation()
        let flood = (0..<50).flatMap { _ in datagram(.push, number: 3, payload: [1, 2, 3]) }
        for _ in 0..<800 { try conversation.receivedDatagram(flood, now: .start) }
        #expect(conversation.bytesBeyondBound == 0)
        var answers = 0
        while conversation.nextDatagram(now: .start) != nil { answers += 1 }
        #expect(answers <= KCPLimits.mostPendingAcknowledgements / 40)
    }

    /// The bound holds against a peer that fills the window with the largest payloads and leaves a gap.
    @Test func segmentsAheadOfAGapStayWithinTheReceiveBuffer() throws {
        var configuration = KCPConfiguration()
        configuration.receiveBufferSize = 100_000
        var conversation = KCPConversation(conversationID: 9, configuration: configuration, now: .start)
        for number: UInt32 in 1..<4096 {
            let bytes = datagram(.push, number: number, payload: [UInt8](repeating: 7, count: 60_000))
            try conversation.receivedDatagram(bytes, now: .start)
        }
        #expect(conversation.receiving.aheadBytes <= 100_000)
        #expect(conversation.statistics.segmentsRefused > 4000)
        // Empty payloads weigh nothing, but a window of them is all there can be.
        for number: UInt32 in 4096..<20_000 {
            try conversation.receivedDatagram(datagram(.push, number: number), now: .start)
        }
        #expect(conversation.receiving.aheadCount <= configuration.receiveWindow)
    }

    @Test func aPeerThatClaimsAnyWindowGetsNoMoreThanOurOwn() throws {
        var conversation = KCPConversation(conversationID: 9, now: .start)
        try conversation.receivedDatagram(datagram(.windowReport, window: .max), now: .start)
        _ = conversation.write([UInt8](repeating: 0, count: 4 << 20))
        var sent = 0
        while let datagram = conversation.nextDatagram(now: .start) { sent += datagram.count }
        #expect(sent <= 12 * 1232)
    }

    /// Echoes of times never sent prove nothing and spoil no measurement.
    @Test(arguments: [1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] as [UInt32])
    func aWrongEchoIsNoProofAndNoMeasurement(timestamp: UInt32) throws {
        var configuration = KCPConfiguration()
        configuration.timestampBase = 0x1234_5678
        var conversation = KCPConversation(conversationID: 9, configuration: configuration, now: .start)
        _ = conversation.write([1])
        while conversation.nextDatagram(now: .start) != nil {}
        while conversation.nextDatagram(now: .milliseconds(300)) != nil {}
        try conversation.receivedDatagram(datagram(.acknowledge, timestamp: timestamp), now: .milliseconds(310))
        #expect(!conversation.isPeerReachable)
        #expect(conversation.smoothedRoundTrip == nil)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func randomAndMutatedDatagramsNeverTrap(part: UInt64) {
        var random = SeededRandom(part)
        for _ in 0..<40 {
            var conversation = busyConversation()
            for step in 0..<100 {
                var bytes: [UInt8] = []
                for _ in 0..<1 + random.next() % 3 {
                    bytes += datagram(
                        [.push, .acknowledge, .windowProbe, .windowReport][Int(random.next() % 4)],
                        number: UInt32(truncatingIfNeeded: random.chance(0.8) ? random.next() % 12 : random.next()),
                        unacknowledged: UInt32(
                            truncatingIfNeeded: random.chance(0.9) ? random.next() % 6 : random.next()),
                        window: UInt16(truncatingIfNeeded: random.next()),
                        timestamp: UInt32(truncatingIfNeeded: random.chance(0.5) ? 0 : random.next()),
                        payload: [UInt8](repeating: 3, count: Int(random.next() % 64)))
                }
                for _ in 0..<random.next() % 4 {
                    bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
                }
                if random.chance(0.1) { bytes = Array(bytes.prefix(Int(random.next() % UInt64(bytes.count + 1)))) }
                let now = KCPInstant(microseconds: random.chance(0.02) ? random.next() >> 20 : UInt64(step) * 3000)
                try? conversation.receivedDatagram(bytes, now: now)
                if random.chance(0.2) { _ = conversation.write([UInt8](repeating: 1, count: 2000)) }
                if random.chance(0.3) { _ = conversation.read(max: Int(random.next() % 100)) }
                var count = 0
                while conversation.nextDatagram(now: now) != nil, count < 1000 { count += 1 }
                #expect(count < 1000)
                _ = conversation.nextDeadline
                #expect(conversation.bytesBeyondBound == 0)
                #expect(conversation.bytesInFlight >= 0)
            }
        }
    }

    // MARK: - Openings

    @Test func onlyAPushOfTheFirstNumberOpensAConversation() {
        func opened(_ bytes: [UInt8]) -> UInt32? { KCPSegment.conversationOpened(by: bytes.span.bytes) }
        let opening = datagram(.push, payload: [1, 2])
        #expect(opened(opening) == 9)
        #expect(opened(opening + datagram(.push, number: 1, payload: [3])) == 9)
        for (bytes, what) in [
            ([], "nothing"), ([0], "the byte that opens a NAT"),
            (datagram(.push), "no payload"), (datagram(.push, number: 1, payload: [1]), "a later number"),
            (datagram(.push, unacknowledged: 1, payload: [1]), "it acknowledges"),
            (datagram(.acknowledge), "an acknowledgement"), (datagram(.windowProbe), "a probe"),
            (opening + datagram(.acknowledge), "an acknowledgement behind"),
            (opening + datagram(.push, conversation: 8, number: 1, payload: [1]), "two conversations"),
            (opening + [1], "a remnant"), (Array(opening.dropLast()), "truncated"),
        ] { #expect(opened(bytes) == nil, "\(what)") }
    }
}
