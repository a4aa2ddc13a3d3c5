import Foundation
import KamuneTestKit
import Testing

@testable import KCP

/// What a Go peer put on the wire, recorded from kcp-go v5.6.72.
struct RecordingTests {
    struct File: Decodable {
        let recordings: [Recording]
    }

    struct Recording: Decodable, CustomTestStringConvertible {
        let name: String
        let conv: UInt32
        let datagrams: [Datagram]
        let c2sStream: HexBytes
        let s2cStream: HexBytes

        var testDescription: String { name }
    }

    struct Datagram: Decodable {
        let t: Double
        let dir: String
        let dropped: Bool
        let segments: [[Field]]
        let bytes: HexBytes
    }

    enum Field: Decodable, Hashable {
        case number(UInt32)
        case command(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(UInt32.self) {
                self = .number(number)
            } else {
                self = .command(try container.decode(String.self))
            }
        }
    }

    static let recordings: [Recording] = {
        guard let url = Bundle.module.url(forResource: "kcp", withExtension: "json", subdirectory: "Resources"),
            let file: File = try? VectorFile.load(at: url)
        else { return [] }
        return file.recordings
    }()

    @Test func allFourRecordingsAreThere() {
        #expect(Self.recordings.count == 4)
        #expect(Self.recordings.reduce(0) { $0 + $1.datagrams.count } > 300)
    }

    /// The fields are what the recorder read with other code, and encoding them gives the same bytes.
    @Test(arguments: recordings)
    func everyDatagramParsesAndReencodesBitForBit(_ recording: Recording) throws {
        for datagram in recording.datagrams {
            let bytes = datagram.bytes.bytes
            if datagram.segments.isEmpty {
                // The byte that opens a NAT is no segment.
                #expect(throws: KCPError.truncatedHeader(remaining: bytes.count)) { try KCPSegment.parse(bytes) }
                continue
            }
            let segments = try KCPSegment.parse(bytes)
            #expect(segments.map(fields) == datagram.segments)
            #expect(segments.allSatisfy { $0.header.conversationID == recording.conv })
            var encoded: [UInt8] = []
            for segment in segments { segment.encode(into: &encoded) }
            #expect(encoded == bytes)
        }
    }

    private func fields(_ segment: KCPSegment) -> [Field] {
        let header = segment.header
        let command =
            switch header.command {
            case .push: "push"
            case .acknowledge: "ack"
            case .windowProbe: "wask"
            case .windowReport: "wins"
            }
        return [
            .command(command), .number(UInt32(header.fragment)), .number(UInt32(header.window)),
            .number(header.timestamp), .number(header.sequenceNumber), .number(header.unacknowledged),
            .number(header.payloadSize),
        ]
    }

    @Test(arguments: recordings, ["c>s", "s>c"])
    func aReplayDeliversTheRecordedBytes(_ recording: Recording, direction: String) throws {
        var configuration = KCPConfiguration.kcpGoDefaults
        configuration.sendWindow = 4096
        var conversation = KCPConversation(conversationID: recording.conv, configuration: configuration, now: .start)
        var delivered: [UInt8] = []
        for datagram in recording.datagrams where datagram.dir == direction && !datagram.dropped {
            let now = KCPInstant(microseconds: UInt64(datagram.t * 1000))
            let acknowledged = (try? KCPSegment.parse(datagram.bytes.bytes))?.map(\.header.unacknowledged).max() ?? 0
            // What the recording acknowledges must have been sent; what it was does not matter here.
            for _ in 0..<200 where conversation.sending.next.distance(after: acknowledged) < 0 {
                _ = conversation.write([0])
                while conversation.nextDatagram(now: now) != nil {}
            }
            if datagram.segments.isEmpty {
                #expect(throws: KCPError.self) { try conversation.receivedDatagram(datagram.bytes.bytes, now: now) }
            } else {
                try conversation.receivedDatagram(datagram.bytes.bytes, now: now)
            }
            delivered += conversation.read()
        }
        #expect(delivered == (direction == "c>s" ? recording.c2sStream : recording.s2cStream).bytes)
    }
}
