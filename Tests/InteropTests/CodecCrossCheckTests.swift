import Foundation
import KamuneCrypto
import KamuneTestKit
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

/// The messages that are on the path of every frame are written and read by code of our own; here it is held against what
/// SwiftProtobuf generates from the schema, in both directions.
@Suite("Our codec, against SwiftProtobuf")
struct CodecCrossCheckTests {
    private static let sizes = [0, 1, 2, 127, 128, 129, 16_383, 16_384, 16_385, ProtocolConstants.maximumPayloadSize]

    /// Numbers at which the size of a varint changes, and the ends of all ranges.
    private static let numbers: [UInt64] = {
        let powers = (0...9).map { UInt64(1) << UInt64(7 * $0) }
        return powers.map { $0 - 1 } + powers + [UInt64(Int64.max), .max]
    }()

    @Test("every size of a varint")
    func varints() throws {
        #expect(Set(Self.numbers.map(WireWriter.varintSize)) == Set(1...10))
        for number in Self.numbers {
            var wire = WireMetadata()
            wire.sequence = number
            var ours: [UInt8] = []
            if number != 0 { WireWriter.appendVarintField(3, number, to: &ours) }
            #expect(try wire.encoded() == ours)
            #expect(ours.count == (number == 0 ? 0 : 1 + WireWriter.varintSize(number)))
        }
    }

    @Test("bytes of every size that matters")
    func bytesValue() throws {
        var random = SeededRandom(1)
        let sizes = Self.sizes + (0..<50).map { _ in Int(random.integer(below: 3_000)) }
        for size in sizes {
            let value = random.bytes(size)
            var wire = WireBytesValue()
            wire.value = Data(value)
            let theirs = try wire.encoded()
            var ours: [UInt8] = []
            BytesValue.encode(value, to: &ours)
            #expect(ours == theirs, "\(size) bytes")
            #expect(BytesValue.encodedSize(value) == ours.count)
            #expect(try BytesValue.decode(theirs[...]).elementsEqual(value))
            #expect(try WireBytesValue(serializedBytes: ours).value.elementsEqual(value))
        }
    }

    // MARK: Metadata

    /// Every combination of the values at the edges.
    private static let edgeMetadata: [Metadata] = {
        let ids = ["", "A", String(repeating: "é", count: 64), "消息 🦊\0"]
        let timestamps: [Timestamp?] = [
            nil, Timestamp(seconds: 0), Timestamp(seconds: 0, nanoseconds: 1), Timestamp(seconds: -1, nanoseconds: -1),
            Timestamp(seconds: .max, nanoseconds: .max), Timestamp(seconds: .min, nanoseconds: .min),
            Timestamp(seconds: 1_767_225_600, nanoseconds: 999_999_999),
        ]
        let sequences: [UInt64] = [0, 1, 127, 128, 1 << 32, .max]
        let routes: [Int32] = [0, 1, 7, 13, 14, 127, 128, .max, -1, .min]
        return ids.flatMap { id in
            timestamps.flatMap { timestamp in
                sequences.flatMap { sequence in
                    routes.map { metadata(id, timestamp, sequence, $0) }
                }
            }
        }
    }()

    private static func metadata(
        _ id: String, _ timestamp: Timestamp?, _ sequence: UInt64, _ rawRoute: Int32
    ) -> Metadata {
        var metadata = Metadata(id: id, timestamp: timestamp, sequence: sequence, route: .identity)
        metadata.rawRoute = rawRoute
        return metadata
    }

    private static func randomMetadata(_ random: inout SeededRandom) -> Metadata {
        /// Numbers of all magnitudes alike.
        func number(_ random: inout SeededRandom) -> UInt64 {
            let shift = random.integer(below: 65)
            return shift == 64 ? 0 : random.integer(UInt64.self) >> UInt64(shift)
        }
        let scalars = (0..<random.integer(below: 40)).compactMap { _ in
            Unicode.Scalar(random.integer(below: 0x11_0000)).map(Character.init)
        }
        let timestamp =
            random.integer(below: 4) == 0
            ? nil
            : Timestamp(
                seconds: Int64(truncatingIfNeeded: number(&random)),
                nanoseconds: Int32(truncatingIfNeeded: number(&random)))
        return metadata(
            String(scalars), timestamp, number(&random), Int32(truncatingIfNeeded: number(&random)))
    }

    private static func wire(_ metadata: Metadata) -> WireMetadata {
        var wire = WireMetadata()
        wire.id = metadata.id
        if let timestamp = metadata.timestamp {
            wire.timestamp.seconds = timestamp.seconds
            wire.timestamp.nanos = timestamp.nanoseconds
        }
        wire.sequence = metadata.sequence
        wire.route = WireRoute(rawValue: Int(metadata.rawRoute)) ?? .UNRECOGNIZED(Int(metadata.rawRoute))
        return wire
    }

    private static func encode(_ metadata: Metadata) -> [UInt8] {
        var output: [UInt8] = []
        metadata.encode(to: &output)
        return output
    }

    private static func decode(_ bytes: [UInt8]) throws -> Metadata {
        try bytes.withUnsafeBytes { try Metadata(decoding: $0) }
    }

    private func compare(_ metadata: Metadata) throws {
        let wire = Self.wire(metadata)
        let theirs = try wire.encoded()
        let ours = Self.encode(metadata)
        #expect(HexBytes(ours) == HexBytes(theirs))
        #expect(try Self.decode(theirs) == metadata)
        #expect(try WireMetadata(serializedBytes: ours) == wire)
    }

    @Test("metadata at the edges")
    func edges() throws {
        #expect(Self.edgeMetadata.count == 4 * 7 * 6 * 10)
        for metadata in Self.edgeMetadata { try compare(metadata) }
        for length in [127, 128, 16_383, 16_384] {
            try compare(Self.metadata(String(repeating: "Z", count: length), nil, 1, 7))
        }
    }

    @Test("random metadata", arguments: 0..<4 as Range<UInt64>)
    func random(_ seed: UInt64) throws {
        var random = SeededRandom(seed)
        for _ in 0..<400 { try compare(Self.randomMetadata(&random)) }
    }

    // MARK: Envelopes

    @Test("envelopes of every size that matters")
    func envelopes() throws {
        var random = SeededRandom(2)
        let identity = try Identity(algorithm: .ed25519, seed: SecretBytes.random(count: 32, using: &random))
        var padded = 0
        for size in Self.sizes + (0..<30).map({ _ in Int(random.integer(below: 1_500)) }) {
            let data = random.bytes(size)
            let metadata = Self.randomMetadata(&random)
            // What we write, they read, and would write alike.
            let ours = try Envelope.seal(
                metadata: metadata, dataSize: size, appendData: { $0.append(contentsOf: data) }, signedBy: identity,
                random: &random)
            var wire = try WireSignedTransport(serializedBytes: ours)
            #expect(wire.data.elementsEqual(data))
            #expect(wire.metadata.elementsEqual(Self.encode(metadata)))
            #expect(wire.unknownFields.data.isEmpty)
            let input = Envelope.signingInput(metadata: Array(wire.metadata), dataSize: size) + data
            #expect(identity.publicKey.isValidSignature(Array(wire.signature), for: input))
            #expect(try wire.encoded() == ours)
            if !wire.padding.isEmpty { padded += 1 }

            // What they write, we read.
            wire.padding = Data(random.bytes(Int(random.integer(below: 300))))
            let opened = try Envelope(parsing: try wire.encoded()).verified(by: identity.publicKey)
            #expect(opened.metadata == metadata)
            #expect(opened.data.elementsEqual(data))
            #expect(opened.padding.elementsEqual(wire.padding))
        }
        #expect(padded >= 30)
    }

    // MARK: Unknown fields

    /// A field that none of the messages knows, or a known number with a wire type that it does not have.
    private static func unknownField(
        _ random: inout SeededRandom, wrongTypes: [(field: UInt64, types: [UInt64])], depth: Int = 0
    ) -> [UInt8] {
        var output: [UInt8] = []
        var field = [5, 15, 16, 100, 1_000, 2_047, 2_048, (1 << 29) - 1][Int(random.integer(below: 8))] as UInt64
        var type = [0, 1, 2, 3, 5][Int(random.integer(below: depth < 3 ? 5 : 3))] as UInt64
        if random.integer(below: 3) == 0, depth == 0 {
            let wrong = wrongTypes[Int(random.integer(below: UInt32(wrongTypes.count)))]
            field = wrong.field
            type = wrong.types[Int(random.integer(below: UInt32(wrong.types.count)))]
        }
        WireWriter.appendVarint(field << 3 | type, to: &output)
        switch type {
        case 0: WireWriter.appendVarint(random.integer(UInt64.self) >> UInt64(random.integer(below: 64)), to: &output)
        case 1: output += random.bytes(8)
        case 2:
            let content = random.bytes(Int(random.integer(below: 200)))
            WireWriter.appendVarint(UInt64(content.count), to: &output)
            output += content
        case 3:
            for _ in 0..<random.integer(below: 3) {
                output += unknownField(&random, wrongTypes: wrongTypes, depth: depth + 1)
            }
            WireWriter.appendVarint(field << 3 | 4, to: &output)
        default: output += random.bytes(4)
        }
        return output
    }

    /// Fields in random order, with others that nobody knows between them.
    private static func scattered(
        _ fields: [[UInt8]], _ random: inout SeededRandom, wrongTypes: [(field: UInt64, types: [UInt64])]
    ) -> [UInt8] {
        var output: [UInt8] = []
        for field in fields.shuffled(using: &random) {
            for _ in 0..<random.integer(below: 3) { output += unknownField(&random, wrongTypes: wrongTypes) }
            output += field
        }
        return output + unknownField(&random, wrongTypes: wrongTypes)
    }

    private static func fields(_ contents: (number: UInt8, content: [UInt8])...) -> [[UInt8]] {
        contents.map { field in
            var output: [UInt8] = []
            WireWriter.appendField(field.number, field.content, to: &output)
            return output
        }
    }

    /// The wire types 3 and 4 of a known number are left out: SwiftProtobuf refuses a group where a field is known.
    private static let notBytes: [UInt64] = [0, 1, 5]
    private static let notNumber: [UInt64] = [1, 2, 5]

    @Test("unknown fields in metadata", arguments: 0..<4 as Range<UInt64>)
    func unknownInMetadata(_ seed: UInt64) throws {
        var random = SeededRandom(100 + seed)
        let wrongTypes = [(field: 1 as UInt64, types: Self.notBytes), (2, Self.notBytes), (3, [1, 5]), (4, [1, 5])]
        for _ in 0..<200 {
            let metadata = Self.randomMetadata(&random)
            var parts: [[UInt8]] = Self.fields((1, Array(metadata.id.utf8)))
            if let timestamp = metadata.timestamp {
                // A message that comes in two parts is merged.
                var seconds = WireTimestamp()
                seconds.seconds = timestamp.seconds
                var nanoseconds = WireTimestamp()
                nanoseconds.nanos = timestamp.nanoseconds
                let inner = [(field: 1 as UInt64, types: [1, 5] as [UInt64]), (2, [1, 5])]
                for part in [seconds, nanoseconds] {
                    parts += Self.fields((2, Self.scattered([try part.encoded()], &random, wrongTypes: inner)))
                }
            }
            var number: [UInt8] = []
            WireWriter.appendVarintField(3, metadata.sequence, to: &number)
            parts.append(number)
            number = []
            WireWriter.appendVarintField(4, UInt64(bitPattern: Int64(metadata.rawRoute)), to: &number)
            parts.append(number)

            let bytes = Self.scattered(parts, &random, wrongTypes: wrongTypes)
            #expect(try Self.decode(bytes) == metadata, "\(HexBytes(bytes))")
            // SwiftProtobuf keeps what it does not know, and writes it again: nothing of it may change what we read.
            let wire = try WireMetadata(serializedBytes: bytes)
            #expect(!wire.unknownFields.data.isEmpty)
            #expect(wire.id == metadata.id && wire.sequence == metadata.sequence)
            #expect(wire.route.rawValue == Int(metadata.rawRoute))
            #expect(wire.hasTimestamp == (metadata.timestamp != nil))
            #expect(wire.timestamp.seconds == metadata.timestamp?.seconds ?? 0)
            #expect(wire.timestamp.nanos == metadata.timestamp?.nanoseconds ?? 0)
            #expect(try Self.decode(try wire.encoded()) == metadata)
        }
    }

    @Test("unknown fields in envelopes and bytes")
    func unknownElsewhere() throws {
        var random = SeededRandom(3)
        let identity = try Identity(algorithm: .ed25519, seed: SecretBytes.random(count: 32, using: &random))
        let wrongTypes = (1...4 as ClosedRange<UInt64>).map { (field: $0, types: Self.notBytes) }
        for _ in 0..<300 {
            let value = random.bytes(Int(random.integer(below: 300)))
            let message = Self.scattered(Self.fields((1, value)), &random, wrongTypes: [wrongTypes[0]])
            #expect(try BytesValue.decode(message[...]).elementsEqual(value))
            let wireValue = try WireBytesValue(serializedBytes: message)
            #expect(wireValue.value.elementsEqual(value) && !wireValue.unknownFields.data.isEmpty)
            #expect(try BytesValue.decode(try wireValue.encoded()[...]).elementsEqual(value))

            let metadata = Self.encode(Self.randomMetadata(&random))
            let padding = random.bytes(Int(random.integer(below: 100)))
            let signature = try identity.sign(
                Envelope.signingInput(metadata: metadata, dataSize: message.count) + message)
            // The first data counts for nothing when another follows.
            let bytes =
                Self.fields((1, [1, 2, 3])).joined()
                + Self.scattered(
                    Self.fields((1, message), (2, signature), (3, metadata), (4, padding)), &random,
                    wrongTypes: wrongTypes)
            let opened = try Envelope(parsing: Array(bytes)).verified(by: identity.publicKey)
            let wire = try WireSignedTransport(serializedBytes: Array(bytes))
            #expect(!wire.unknownFields.data.isEmpty)
            #expect(opened.data.elementsEqual(message) && wire.data.elementsEqual(message))
            #expect(Self.encode(opened.metadata) == metadata && wire.metadata.elementsEqual(metadata))
            #expect(opened.padding.elementsEqual(padding) && wire.padding.elementsEqual(padding))
            let again = try Envelope(parsing: try wire.encoded()).verified(by: identity.publicKey)
            #expect(again.data.elementsEqual(message) && again.padding.elementsEqual(padding))
        }
    }

    // MARK: Damage

    @Test("both refuse the same truncated and altered metadata")
    func damaged() throws {
        var random = SeededRandom(4)
        var counts = (refused: 0, taken: 0, excess: 0)
        for _ in 0..<30 {
            let whole = try Self.wire(Self.randomMetadata(&random)).encoded()
            for length in whole.indices {
                var altered = whole
                altered[length] = UInt8(truncatingIfNeeded: random.next())
                for bytes in [Array(whole[..<length]), altered] {
                    let ours = Result { try Self.decode(bytes) }
                    let theirs = try? WireMetadata(serializedBytes: bytes)
                    switch (ours, theirs) {
                    case (.success(let ours), let theirs?):
                        counts.taken += 1
                        #expect(ours.id == theirs.id && ours.sequence == theirs.sequence, "\(HexBytes(bytes))")
                        #expect(Int(ours.rawRoute) == theirs.route.rawValue, "\(HexBytes(bytes))")
                        #expect((ours.timestamp != nil) == theirs.hasTimestamp, "\(HexBytes(bytes))")
                        #expect(ours.timestamp?.seconds ?? 0 == theirs.timestamp.seconds, "\(HexBytes(bytes))")
                        #expect(ours.timestamp?.nanoseconds ?? 0 == theirs.timestamp.nanos, "\(HexBytes(bytes))")
                    case (.failure, nil):
                        counts.refused += 1
                    case (.failure, _?) where Self.hasExcessBits(bytes):
                        counts.excess += 1
                    default:
                        Issue.record(
                            "\(HexBytes(bytes)): \(ours), SwiftProtobuf \(theirs == nil ? "refuses" : "takes") it")
                    }
                }
            }
        }
        #expect(counts.refused > 1_500 && counts.taken > 500, "\(counts)")
        #expect(counts.excess < 50, "\(counts)")
    }

    /// Whether a number of more than 64 bits may be in there: nine bytes that go on, and a tenth beyond 1. SwiftProtobuf
    /// drops what is too much, while the Go library, and ours, refuse it.
    private static func hasExcessBits(_ bytes: [UInt8]) -> Bool {
        var run = 0
        for byte in bytes {
            if run >= 9, byte > 1 { return true }
            run = byte >= 0x80 ? run + 1 : 0
        }
        return false
    }
}
