import KamuneCrypto
import KamuneTestSupport
import Testing

@Suite("ML-KEM-768, X25519 and HKDF-SHA512")
struct KeyAgreementTests {
    @Test("ML-KEM-768: both sides have one secret; an altered ciphertext silently gives another, always the same")
    func implicitRejection() throws {
        var random = SeededRandom(7)
        let key = try MLKEM768PrivateKey.generate(using: &random)
        var encapsulator = SystemEncapsulator()
        let encapsulation = try encapsulator.encapsulateMLKEM768(to: key.publicKey)
        let secret = encapsulation.sharedSecret.exposed()
        let ciphertext = encapsulation.ciphertext
        #expect(try key.decapsulate(ciphertext).exposed() == secret)
        for index in stride(from: 0, to: ciphertext.count, by: 17) {
            var altered = ciphertext
            altered[index] ^= 0x01
            let first = try key.decapsulate(altered).exposed()
            #expect(first != secret)
            #expect(try key.decapsulate(altered).exposed() == first)
        }
        for count in [0, 1_087, 1_089] {
            #expect(
                thrownError { _ = try key.decapsulate([UInt8](repeating: 0, count: count)).count }
                    == .invalidLength(expected: 1_088, actual: count))
        }
    }

    @Test("ML-KEM-768: every coefficient of a public key is held below the modulus (FIPS 203 §7.2)")
    func malformedEncapsulationKeys() throws {
        var random = SeededRandom(8)
        let key = try MLKEM768PrivateKey.generate(using: &random)
        let tunnelKey = try TunnelPrivateKey.generate(using: &random)
        var encapsulator = SystemEncapsulator()
        // 768 coefficients of 12 bits, two in three bytes, little-endian.
        func setting(_ position: Int, to value: UInt16, in key: [UInt8]) -> [UInt8] {
            var key = key
            let start = position / 2 * 3
            if position % 2 == 0 {
                key[start] = UInt8(value & 0xff)
                key[start + 1] = key[start + 1] & 0xf0 | UInt8(value >> 8)
            } else {
                key[start + 1] = key[start + 1] & 0x0f | UInt8(value & 0x0f) << 4
                key[start + 2] = UInt8(value >> 4)
            }
            return key
        }
        for position in 0..<768 {
            for value in [UInt16(3_329), 4_095] {
                let bad = setting(position, to: value, in: key.publicKey)
                switch thrownError({ _ = try encapsulator.encapsulateMLKEM768(to: bad).ciphertext }) {
                case .malformedKey: break
                case let other: Issue.record("\(position), \(value): \(String(describing: other))")
                }
                let badTunnel = setting(position, to: value, in: tunnelKey.publicKey)
                switch thrownError({ _ = try encapsulator.encapsulateTunnel(to: badTunnel).encapsulatedKey }) {
                case .malformedKey: break
                case let other: Issue.record("\(position), \(value): \(String(describing: other))")
                }
            }
        }
        for position in [0, 1, 766, 767] {
            let good = setting(position, to: 3_328, in: key.publicKey)
            #expect(thrownError { _ = try encapsulator.encapsulateMLKEM768(to: good).ciphertext } == nil)
        }
        for count in [0, 1_183, 1_185] {
            #expect(
                thrownError {
                    _ = try encapsulator.encapsulateMLKEM768(to: [UInt8](repeating: 0, count: count)).ciphertext
                } == .invalidLength(expected: 1_184, actual: count))
        }
    }

    @Test("X25519, RFC 7748 §6.1")
    func rfc7748() throws {
        let alicePrivate: HexBytes = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
        let alicePublic: HexBytes = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        let bobPrivate: HexBytes = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
        let bobPublic: HexBytes = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
        let shared: HexBytes = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
        let alice = try X25519PrivateKey(seed: alicePrivate.secret)
        let bob = try X25519PrivateKey(seed: bobPrivate.secret)
        #expect(alice.publicKey == alicePublic.bytes)
        #expect(bob.publicKey == bobPublic.bytes)
        #expect(try alice.sharedSecret(with: bobPublic.bytes).exposed() == shared.bytes)
        #expect(try bob.sharedSecret(with: alicePublic.bytes).exposed() == shared.bytes)
    }

    @Test("X25519: points of small order are refused, with the top bit set too (RFC 7748 §5 masks it)")
    func lowOrder() throws {
        var random = SeededRandom(9)
        let key = try X25519PrivateKey.generate(using: &random)
        for point in TunnelTests.lowOrderPoints {
            for topBit in [UInt8(0), 0x80] {
                var bytes = point.bytes
                bytes[31] |= topBit
                #expect(thrownError { _ = try key.sharedSecret(with: bytes).count } == .lowOrderPoint)
            }
        }
        for count in [0, 31, 33] {
            let other = [UInt8](repeating: 9, count: count)
            #expect(
                thrownError { _ = try key.sharedSecret(with: other).count }
                    == .invalidLength(expected: 32, actual: count))
        }
    }

    struct Derivation: Sendable {
        let secret, salt, info, key, output: HexBytes
    }

    /// The inputs of RFC 5869, appendices A.1 to A.3, with SHA-512 instead of SHA-256; results from another
    /// implementation (HMAC of Python's standard library).
    static let derivations = [
        Derivation(
            secret: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", salt: "000102030405060708090a0b0c",
            info: "f0f1f2f3f4f5f6f7f8f9",
            key: """
                665799823737ded04a88e47e54a5890bb2c3d247c7a4254a8e61350723590a26
                c36238127d8661b88cf80ef802d57e2f7cebcf1e00e083848be19929c61b4237
                """,
            output: "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb"),
        Derivation(
            secret: """
                000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
                303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f
                """,
            salt: """
                606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f
                909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf
                """,
            info: """
                b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf
                e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff
                """,
            key: """
                35672542907d4e142c00e84499e74e1de08be86535f924e022804ad775dde27e
                c86cd1e5b7d178c74489bdbeb30712beb82d4f97416c5a94ea81ebdf3e629e4a
                """,
            output: """
                ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1b695b48cbd1c8388441137b3ce28f16a
                a64ba33ba466b24df6cfcb021ecff235f6a2056ce3af1de44d572097a8505d9e7a93
                """),
        Derivation(
            secret: "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", salt: "", info: "",
            key: """
                fd200c4987ac491313bd4a2a13287121247239e11c9ef82802044b66ef357e5b
                194498d0682611382348572a7b1611de54764094286320578a863f36562b0df6
                """,
            output: "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90fff22d04836d0e2343bac"),
    ]

    @Test("HKDF-SHA512, in the manner of RFC 5869 appendix A", arguments: derivations)
    func hkdf(_ example: Derivation) {
        let key = HKDFSHA512.extract(secret: example.secret.secret, salt: example.salt.bytes)
        #expect(key.exposed() == example.key.bytes)
        let count = example.output.bytes.count
        #expect(HKDFSHA512.expand(key: key, info: example.info.bytes, count: count).exposed() == example.output.bytes)
        let whole = HKDFSHA512.derive(
            secret: example.secret.secret, salt: example.salt.bytes, info: example.info.bytes, count: count)
        #expect(whole.exposed() == example.output.bytes)
        // A shorter result is the beginning of a longer one.
        for shorter in [0, 1, 32, count - 1] {
            let part = HKDFSHA512.expand(key: key, info: example.info.bytes, count: shorter)
            #expect(part.exposed() == Array(example.output.bytes.prefix(shorter)))
        }
    }
}
