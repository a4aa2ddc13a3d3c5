import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneRelayProtocol

/// Frames against the Go implementation's, and what is not one.
struct FrameTests {
    /// The frame that a vector describes.
    static func frame(
        kind: String?, mode: Int32?, token: HexBytes?, ttl: UInt32?, sessionTTL: UInt32?, data: HexBytes?,
        psk: HexBytes?
    ) -> RelayFrame? {
        switch kind {
        case "register": .register(.init(mode: mode ?? 0, token: token?.bytes ?? []))
        case "registered":
            .registered(.init(token: token?.bytes ?? [], tokenLifetime: ttl ?? 0, sessionLifetime: sessionTTL ?? 0))
        case "msg": .message((data?.bytes ?? [])[...])
        case "ping": .ping
        case "pong": .pong
        case "auth": .auth(PreSharedKey(copying: psk?.bytes ?? []), extensions: [])
        case "none": .unknown
        default: nil
        }
    }

    private func frame(_ vector: RelayVectors.Frame) throws -> RelayFrame {
        try #require(
            Self.frame(
                kind: vector.kind, mode: vector.mode, token: vector.token, ttl: vector.ttl,
                sessionTTL: vector.sessionTtl, data: vector.data, psk: vector.psk),
            "no such kind: \(vector.kind ?? "")")
    }

    @Test("every kind of frame has the recorded bytes, both ways", arguments: RelayVectors.all?.frames ?? [])
    func recorded(_ vector: RelayVectors.Frame) throws {
        let frame = try frame(vector)
        #expect(try frame.encoded() == vector.bytes.bytes)
        #expect(try RelayFrame(decoding: vector.bytes.bytes) == frame)
    }

    @Test("unusual encodings mean what they mean to the Go library", arguments: RelayVectors.all?.frameDecode ?? [])
    func unusual(_ vector: RelayVectors.Frame) throws {
        guard vector.ok == true else {
            #expect(throws: RelayProtocolError.self) { try RelayFrame(decoding: vector.bytes.bytes) }
            return
        }
        #expect(try RelayFrame(decoding: vector.bytes.bytes) == frame(vector))
    }

    @Test("what is ours passes both ways, and 0.7 sees the same frame without it")
    func extensions() throws {
        let token = [UInt8](repeating: 9, count: 16)
        let register = RelayFrame.register(.init(mode: 1, token: token, extensions: .refusals))
        let plain = RelayFrame.register(.init(mode: 1, token: token))
        #expect(try RelayFrame(decoding: register.encoded()) == register)
        // The addition stands behind all that 0.7 knows: two bytes of tag and one of value.
        #expect(try register.encoded().dropFirst(2).starts(with: plain.encoded().dropFirst(2)))
        #expect(try register.encoded().suffix(3) == [0xc0, 0x3e, 0x01])

        let auth = RelayFrame.auth(PreSharedKey(copying: [1, 2]), extensions: .refusals)
        #expect(try RelayFrame(decoding: auth.encoded()) == auth)
        let registered = RelayFrame.registered(
            .init(token: token, tokenLifetime: 300, sessionLifetime: 1_800, extensions: .refusals))
        #expect(try RelayFrame(decoding: registered.encoded()) == registered)
        for code in UInt32(0)...20 {
            let refused = RelayFrame.refused(RelayRefusal(code: code))
            #expect(RelayRefusal(code: code).code == code)
            #expect(try RelayFrame(decoding: refused.encoded()) == refused)
        }
    }

    @Test("a wish is what 0.7's relay makes of it")
    func requests() throws {
        let own = Array(UInt8(0)..<32)
        let request = { (mode: Int32, token: [UInt8]) in RelayFrame.Registration(mode: mode, token: token).request }
        #expect(request(1, []) == .success(.create(nil)))
        #expect(request(1, own) == .success(.create(try RelayToken(own))))
        #expect(request(1, Array(own.prefix(16))) == .failure(.unacceptableToken))
        #expect(request(1, [UInt8](repeating: 1, count: 32)) == .failure(.unacceptableToken))
        #expect(request(2, own) == .success(.join(try RelayToken(own))))
        #expect(request(2, [1]) == .success(.join(try RelayToken([1]))))
        #expect(request(2, []) == .failure(.malformedRequest))
        #expect(request(2, [UInt8](repeating: 1, count: 65)) == .failure(.unknownToken))
        #expect(request(0, own) == .failure(.malformedRequest))
        #expect(request(9, own) == .failure(.malformedRequest))
        #expect(request(-1, []) == .failure(.malformedRequest))
        for wish in [RelayFrame.Request.create(nil), .create(try RelayToken(own)), .join(try RelayToken([5]))] {
            #expect(RelayFrame.Registration(wish).request == .success(wish))
        }
    }

    @Test("the largest message fits, one byte more does not")
    func largest() throws {
        let data = [UInt8](repeating: 5, count: 65_511)
        let encoded = try RelayFrame.message(data[...]).encoded()
        #expect(encoded.count == 65_519)
        #expect(try RelayFrame(decoding: encoded) == .message(data[...]))
        #expect(throws: RelayProtocolError.messageTooLarge(size: 65_512)) {
            try RelayFrame.message((data + [5])[...]).encoded()
        }
        #expect(throws: RelayProtocolError.self) {
            try RelayFrame.auth(PreSharedKey(copying: data + data), extensions: []).encoded()
        }
    }

    @Test(
        "malformed frames end in an error",
        arguments: [
            "1a", "1a80", "1a05", "00", "02", "0c", "0b", "0b0b0c", "0f", "1a020a05", "ffffffffffffffffffff01",
            "08ffffffffffffffffff7f", "0d000000", "0900000000000000", "8080808010",
        ] as [HexBytes])
    func malformed(_ bytes: HexBytes) {
        #expect(throws: RelayProtocolError.self) { try RelayFrame(decoding: bytes.bytes) }
    }

    @Test("groups and fields of another type are skipped")
    func skipped() throws {
        // A group of field 1 with a number within, a fixed field of either size, a number as field 3; then a ping.
        let bytes: HexBytes = "0b10050c  0d01020304  090102030405060708  1807  2200"
        #expect(try RelayFrame(decoding: bytes.bytes) == .ping)
        let deep = [UInt8](repeating: 0x0b, count: 101)
        #expect(throws: RelayProtocolError.malformedFrame(reason: "nested too deeply")) {
            try RelayFrame(decoding: deep)
        }
    }

    @Test("no bytes whatever stop the program, and what is read is written and read again the same")
    func total() throws {
        var random = SeededRandom(0x1307)
        let samples = (RelayVectors.all?.frames ?? []).map(\.bytes.bytes).filter { $0.count < 200 }
        #expect(!samples.isEmpty)
        for round in 0..<20_000 {
            var bytes = samples[round % samples.count]
            for _ in 0..<random.integer(below: 4) {
                guard !bytes.isEmpty else { break }
                bytes[Int(random.integer(below: UInt32(bytes.count)))] = random.integer(UInt8.self)
            }
            if random.chance(0.2) { bytes = random.bytes(Int(random.integer(below: 40))) }
            guard let frame = try? RelayFrame(decoding: bytes) else { continue }
            #expect(try RelayFrame(decoding: frame.encoded()) == frame)
        }
    }
}
