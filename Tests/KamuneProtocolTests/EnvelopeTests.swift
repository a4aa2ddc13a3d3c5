import KamuneCrypto
import KamuneTestSupport
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

/// The envelope's own reader against SwiftProtobuf's, which is the judge: they must take and refuse the same bytes, and
/// find the same in them.
@Suite("Envelopes, against another reader")
struct EnvelopeTests {
    private enum Reading: Equatable {
        case malformed
        case fields(data: [UInt8], signature: [UInt8], metadata: [UInt8], padding: [UInt8])
    }

    private func judge(_ bytes: [UInt8]) -> Reading {
        guard let wire = try? WireSignedTransport(serializedBytes: bytes) else { return .malformed }
        return .fields(
            data: Array(wire.data), signature: Array(wire.signature), metadata: Array(wire.metadata),
            padding: Array(wire.padding))
    }

    private func sealed(_ size: Int = 40) throws -> [UInt8] {
        var random = SeededRandom(1)
        let data = [UInt8](repeating: 6, count: size)
        return try Envelope.seal(
            metadata: Metadata(id: "ID", timestamp: Fixture.now, sequence: 7, route: .exchangeMessages),
            dataSize: data.count, appendData: { $0.append(contentsOf: data) }, signedBy: Fixture.alice.get(),
            random: &random)
    }

    @Test("What is sealed is what is read")
    func roundTrip() throws {
        let identity = try Fixture.alice.get().publicKey
        let envelope = try Envelope(parsing: try sealed()).verified(by: identity)
        #expect(envelope.metadata.id == "ID")
        #expect(envelope.metadata.timestamp == Fixture.now)
        #expect(envelope.metadata.sequence == 7)
        #expect(envelope.metadata.route == .exchangeMessages)
        #expect(Array(envelope.data) == [UInt8](repeating: 6, count: 40))
    }

    /// Data, metadata and signature are covered: none of them can change. The padding can, and so can the wrapping.
    @Test("Every byte altered, and every length: what the signature covers cannot change")
    func alteredAndTruncated() throws {
        let identity = try Fixture.alice.get().publicKey
        let bytes = try sealed()
        guard case .fields(let data, let signature, let metadata, _) = judge(bytes) else {
            Issue.record("the envelope cannot be read")
            return
        }
        var passed = 0
        for mutation in bytes.indices.flatMap({ [Mutation.altered(at: $0), .truncated(to: $0)] }) {
            let changed = mutation.applied(to: bytes)
            var error: ProtocolError?
            do throws(ProtocolError) {
                _ = try Envelope(parsing: changed).verified(by: identity)
            } catch let cause {
                error = cause
            }
            switch judge(changed) {
            case .malformed:
                #expect(error?.isMalformedEnvelope == true, "\(mutation)")
            case .fields(data, signature, metadata, _):
                #expect(error == nil, "\(mutation)")
                passed += 1
            case .fields:
                #expect(error == .authenticationFailed(.invalidSignature), "\(mutation)")
            }
        }
        // Within the padding's own bytes, and nowhere else.
        #expect(passed > 250 && passed < bytes.count)
    }

    @Test("Both readers take and refuse the same", arguments: 0..<8)
    func differential(_ seed: UInt64) throws {
        var random = SeededRandom(seed)
        let whole = try sealed(3).prefix(160)
        var taken = 0
        for _ in 0..<2_000 {
            var bytes: [UInt8]
            switch random.integer(below: 3) {
            case 0: bytes = random.bytes(Int(random.integer(below: 12)))
            case 1: bytes = Self.fields(&random)
            default:
                bytes = Array(whole)
                for _ in 0..<(1 + random.integer(below: 3)) {
                    bytes[Int(random.integer(below: UInt32(bytes.count)))] = random.byte()
                }
            }
            let expected = judge(bytes)
            if expected != .malformed { taken += 1 }
            let envelope = try? Envelope(parsing: bytes)
            switch expected {
            case .malformed:
                #expect(envelope == nil, "\(bytes)")
            case .fields(let data, _, let metadata, _):
                #expect(envelope.map { Array($0.unverifiedData) } == data, "\(bytes)")
                let route = (try? WireMetadata(serializedBytes: metadata)).map {
                    Int32(truncatingIfNeeded: $0.route.rawValue)
                }
                #expect((try? envelope?.claimedRoute()) == route.flatMap(Route.init(rawValue:)), "\(bytes)")
            }

            let metadata = bytes.withUnsafeBytes { try? Metadata(decoding: $0) }
            let wire = try? WireMetadata(serializedBytes: bytes)
            #expect((metadata == nil) == (wire == nil), "\(bytes)")
            guard let metadata, let wire else { continue }
            #expect(metadata.id == wire.id && metadata.sequence == wire.sequence)
            #expect(metadata.rawRoute == Int32(truncatingIfNeeded: wire.route.rawValue))
            #expect((metadata.timestamp != nil) == wire.hasTimestamp)
            #expect((metadata.timestamp?.seconds ?? 0) == wire.timestamp.seconds)
            #expect((metadata.timestamp?.nanoseconds ?? 0) == wire.timestamp.nanos)
        }
        #expect(taken > 300)
    }

    /// Fields of all numbers and wire types, with groups among them.
    private static func fields(_ random: inout SeededRandom, depth: Int = 0) -> [UInt8] {
        var output: [UInt8] = []
        for _ in 0..<random.integer(below: 5) {
            let field = UInt64([1, 2, 3, 4, 5, 15, 16, 1_000, 1 << 28][Int(random.integer(below: 9))])
            let type = UInt64(random.integer(below: 6))
            WireWriter.appendVarint(field << 3 | type, to: &output)
            switch type {
            case 0: WireWriter.appendVarint(random.integer(), to: &output)
            case 1: output += random.bytes(8)
            case 2:
                let content = depth < 3 ? fields(&random, depth: depth + 1) : random.bytes(2)
                WireWriter.appendVarint(UInt64(content.count), to: &output)
                output += content
            case 3:
                if depth < 3 { output += fields(&random, depth: depth + 1) }
                WireWriter.appendVarint(field << 3 | 4, to: &output)
            case 5: output += random.bytes(4)
            default: break
            }
        }
        return output
    }

    /// SwiftProtobuf drops the bits that are too much; the Go library refuses, and what both sides sign must be read alike.
    @Test("A number of more than 64 bits is refused, wherever it stands")
    func overlongNumber() throws {
        let largest = [UInt8](repeating: 0xff, count: 9) + [0x01]
        let overlong = [UInt8](repeating: 0xff, count: 9) + [0x02]
        #expect(throws: Never.self) { try Envelope(parsing: [0x30] + largest) }
        for number in [overlong, [UInt8](repeating: 0x80, count: 10) + [0x00], [UInt8](repeating: 0xff, count: 11)] {
            for tag: UInt8 in [0x30, 0x20, 0x0a] {
                expectError(.peerMisbehaved(.malformedEnvelope(reason: "overlong number"))) {
                    () throws(ProtocolError) in
                    _ = try Envelope(parsing: [tag] + number)
                }
            }
            let metadata = [0x18] + number
            let envelope = try Envelope(parsing: [0x1a, UInt8(metadata.count)] + metadata)
            expectError(.peerMisbehaved(.malformedEnvelope(reason: "metadata: overlong number"))) {
                () throws(ProtocolError) in
                _ = try envelope.claimedRoute()
            }
        }
    }

    @Test("Groups within groups are followed only so far")
    func deepGroups() {
        let deep = [UInt8](repeating: 0x2b, count: 60_000)
        expectError(.peerMisbehaved(.malformedEnvelope(reason: "nested too deeply"))) { () throws(ProtocolError) in
            _ = try Envelope(parsing: deep)
        }
    }
}
