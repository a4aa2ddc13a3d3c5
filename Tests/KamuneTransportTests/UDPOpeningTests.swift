import KCP
import KamuneTestKit
import NIOCore
import NIOEmbedded
import Testing

@testable import KamuneTransport

@Suite("Datagrams from unknown places")
struct UDPOpeningTests {
    private static let firstFrame = UDPOpening.FirstFrame(size: 1_216)
    private static let length: [UInt8] = [0x04, 0xC0]

    private func datagram(_ segments: (sequenceNumber: UInt32, payload: [UInt8])...) -> [UInt8] {
        var datagram: [UInt8] = []
        for (sequenceNumber, payload) in segments {
            let header = KCPHeader(
                conversationID: 7, command: .push, window: 32, timestamp: 99, sequenceNumber: sequenceNumber,
                unacknowledged: 0, payloadSize: 0)
            KCPSegment(header: header, payload: payload).encode(into: &datagram)
        }
        return datagram
    }

    private func opening(_ datagram: [UInt8]) -> UDPOpening {
        UDPOpening(datagram, firstFrame: Self.firstFrame, window: 4_096)
    }

    @Test("the length alone is acknowledged, with no more bytes than came, and forgotten")
    func lengthAlone() throws {
        let datagram = datagram((0, Self.length))
        guard case .answer(let answer) = opening(datagram) else {
            Issue.record("it was not answered")
            return
        }
        #expect(answer.count < datagram.count)
        let header = try #require(try KCPSegment.parse(answer).first?.header)
        #expect(
            header
                == KCPHeader(
                    conversationID: 7, command: .acknowledge, window: 4_096, timestamp: 99, sequenceNumber: 0,
                    unacknowledged: 1, payloadSize: 0))
    }

    @Test("what brings a good part of the first frame opens a conversation")
    func opens() {
        let key = [UInt8](repeating: 1, count: 1_216)
        #expect(opening(datagram((0, Self.length + key))) == .conversation(7, forgotten: nil))
        #expect(opening(datagram((0, Self.length + key.prefix(510)))) == .conversation(7, forgotten: nil))
        #expect(opening(datagram((0, Self.length), (1, key))) == .conversation(7, forgotten: nil))
        #expect(opening(datagram((1, key))) == .conversation(7, forgotten: datagram((0, Self.length))))
    }

    @Test("anything else opens nothing, and is not answered")
    func refuses() {
        let part = [UInt8](repeating: 1, count: 600)
        #expect(opening(datagram((0, Self.length + part.prefix(509)))) == .nothing)
        #expect(opening(datagram((0, [0x04, 0xC1]))) == .nothing)
        #expect(opening(datagram((0, [0x04]))) == .nothing)
        #expect(opening(datagram((0, []))) == .nothing)
        #expect(opening(datagram((0, [0x04, 0xC1] + part))) == .nothing)
        #expect(opening(datagram((0, Self.length), (0, Self.length))) == .nothing)
        #expect(opening(datagram((1, Array(part.prefix(511))))) == .nothing)
        #expect(opening(datagram((2, part))) == .nothing)
        #expect(opening([]) == .nothing)
        #expect(opening(Array(datagram((0, Self.length)).dropLast())) == .nothing)
        var other = datagram((0, Self.length + part))
        other[20] = 1
        #expect(opening(other) == .nothing)
    }

    @Test("where the first frame is not known, any data with number 0 opens a conversation")
    func unknownFirstFrame() {
        #expect(
            UDPOpening(datagram((0, [0])), firstFrame: nil, window: 32) == .conversation(7, forgotten: nil))
        #expect(UDPOpening(datagram((1, [0])), firstFrame: nil, window: 32) == .nothing)
    }
}

/// A flood from forged addresses at a listener, and somebody honest on a slow path, on virtual time.
@Suite("A flood of datagrams from forged addresses")
struct DatagramFloodTests {
    private static let firstFrame = [UInt8](repeating: 1, count: 1_216)
    private static let reply = [UInt8](repeating: 2, count: 2_338)
    private static let roundTrip = TimeAmount.milliseconds(100)

    /// The socket of a listener, and the network that it is on.
    private struct Listener {
        let channel = EmbeddedChannel()
        let handler: UDPChannelHandler
        let queue = AcceptQueue(limit: .max)

        init(seed: UInt64) throws {
            var options = UDPOptions()
            options.firstFrameSize = firstFrame.count
            // One frame fills the pipe.
            var configuration = TransportConfiguration()
            configuration.inboundBufferLimit = 1_000
            let reception = UDPReception(
                eventLoop: channel.eventLoop, configuration: configuration, options: options, queue: queue,
                random: SeededRandom(seed))
            handler = UDPChannelHandler(reception: reception, address: nil)
            try channel.pipeline.syncOperations.addHandler(handler)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        var now: NIODeadline { channel.embeddedEventLoop.now }

        func receive(_ datagrams: [[UInt8]], from address: SocketAddress) {
            for datagram in datagrams {
                let envelope = AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: datagram))
                channel.pipeline.fireChannelRead(envelope)
            }
            channel.pipeline.fireChannelReadComplete()
            channel.embeddedEventLoop.run()
        }

        /// What has gone out to an address since this was last asked; what went elsewhere is counted.
        func sent(to address: SocketAddress, elsewhere: inout Int) throws -> [[UInt8]] {
            var datagrams: [[UInt8]] = []
            while let envelope = try channel.readOutbound(as: AddressedEnvelope<ByteBuffer>.self) {
                guard envelope.remoteAddress == address else {
                    elsewhere += envelope.data.readableBytes
                    continue
                }
                var data = envelope.data
                let size = envelope.metadata?.segmentSize ?? data.readableBytes
                while let piece = data.readBytes(length: min(size, data.readableBytes)), !piece.isEmpty {
                    datagrams.append(piece)
                }
            }
            return datagrams
        }

        func finish() throws {
            handler.endAll(.reset)
            _ = try channel.finish(acceptAlreadyClosed: true)
        }
    }

    /// Whether somebody honest gets an answer to its first frame while a flood goes on, in one try.
    ///
    /// - Parameters:
    ///   - openings: How many forged datagrams there are a second.
    ///   - datagram: Makes one of them.
    ///   - isGo: Whether the honest one is a program of version 0.7, which sends the length first.
    private func getsThrough(
        seed: UInt64, openings: Int, isGo: Bool, _ datagram: (UInt32) -> [UInt8]
    ) throws -> (gotThrough: Bool, received: Int, sent: Int) {
        let listener = try Listener(seed: seed)
        let address = try SocketAddress(ipAddress: "198.51.100.1", port: 9_999)
        let start = listener.now
        var forged: UInt32 = 0
        var flooded = 0
        var answered = 0
        var client = KCPConversation(
            conversationID: 4_711, configuration: isGo ? .kcpGoDefaults : KCPConfiguration(),
            now: KCPInstant(microseconds: 0))
        var toListener: [(at: NIODeadline, datagram: [UInt8])] = []
        var toClient: [(at: NIODeadline, datagram: [UInt8])] = []
        var hasOpened = false
        var hasReplied = false
        var received: [UInt8] = []
        let oneWay = TimeAmount.nanoseconds(Self.roundTrip.nanoseconds / 2)
        // By the time that the honest one comes, the flood has filled what it can; then both go on for three seconds.
        let arrival = start + .milliseconds(1_500)
        while listener.now < arrival + .seconds(3) {
            let elapsed = (listener.now - start).nanoseconds
            while Int64(forged) * 1_000_000_000 < elapsed * Int64(openings) {
                let from = try SocketAddress(
                    ipAddress: "10.\(forged >> 16 & 0xFF).\(forged >> 8 & 0xFF).\(forged & 0xFF)", port: 1_000)
                let bytes = datagram(forged)
                flooded += bytes.count
                listener.receive([bytes], from: from)
                forged += 1
            }
            let now = KCPInstant(listener.now)
            if !hasOpened, listener.now >= arrival {
                hasOpened = true
                let length = [UInt8(Self.firstFrame.count >> 8), UInt8(Self.firstFrame.count & 0xFF)]
                if isGo {
                    _ = client.write(length)
                    while let datagram = client.nextDatagram(now: now) {
                        toListener.append((listener.now + oneWay, datagram))
                    }
                    _ = client.write(Self.firstFrame)
                } else {
                    _ = client.write(length + Self.firstFrame)
                }
            }
            if hasOpened {
                while let datagram = client.nextDatagram(now: now) {
                    toListener.append((listener.now + oneWay, datagram))
                }
            }
            while let next = toListener.first, next.at <= listener.now {
                listener.receive([next.datagram], from: address)
                toListener.removeFirst()
            }
            if !hasReplied, let conversation = listener.handler.conversation(4_711, with: address),
                conversation.end.inbound.isFull
            {
                hasReplied = true
                try conversation.end.outbound.enqueue([Self.reply]) {}
                conversation.flush()
            }
            for datagram in try listener.sent(to: address, elsewhere: &answered) {
                toClient.append((listener.now + oneWay, datagram))
            }
            while let next = toClient.first, next.at <= listener.now {
                try? client.receivedDatagram(next.datagram, now: now)
                toClient.removeFirst()
            }
            received += client.read()
            if received.count == Self.reply.count + 2 { break }
            listener.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        }
        try listener.finish()
        return (received.count == Self.reply.count + 2, flooded, answered)
    }

    /// A datagram of 25 bytes, or one that brings the length, as kcp-go begins, or more.
    private static func forged(size: Int) -> (UInt32) -> [UInt8] {
        { number in
            let header = KCPHeader(
                conversationID: number, command: .push, window: 32, timestamp: 0, sequenceNumber: 0,
                unacknowledged: 0, payloadSize: 0)
            let payload = [0x04, 0xC0] + [UInt8](repeating: 0, count: max(size - KCPHeader.size - 2, 0))
            var datagram: [UInt8] = []
            KCPSegment(header: header, payload: Array(payload.prefix(size - KCPHeader.size))).encode(into: &datagram)
            return datagram
        }
    }

    @Test("100 KB/s of small ones keep nobody out, whoever it is", arguments: [25, 26], [false, true])
    func smallDatagrams(size: Int, isGo: Bool) throws {
        for seed in 0..<2 as Range<UInt64> {
            let result = try getsThrough(
                seed: seed, openings: 100_000 / size, isGo: isGo, Self.forged(size: size))
            #expect(result.gotThrough)
            #expect(result.sent <= result.received)
        }
    }

    @Test("500 KB/s of as large ones as open a conversation keep out one of ten or so", arguments: [false, true])
    func largeDatagrams(isGo: Bool) throws {
        let size = KCPHeader.size + UDPOpening.FirstFrame.leastPart
        let seeds = 0..<10 as Range<UInt64>
        let successes = try seeds.count { seed in
            let result = try getsThrough(
                seed: seed, openings: 500_000 / size, isGo: isGo, Self.forged(size: size))
            #expect(result.sent <= result.received)
            return result.gotThrough
        }
        // Nine of ten are to be expected.
        #expect(successes >= 6)
    }
}
