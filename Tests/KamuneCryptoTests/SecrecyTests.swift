import KamuneCrypto
import Synchronization
import Testing

@Suite("Secrets are erased, and cannot be printed")
struct SecrecyTests {
    /// What any way of printing a value shows.
    private func everyPrint<Value>(of value: Value) -> String {
        var dumped = ""
        dump(value, to: &dumped)
        let mirror = Mirror(reflecting: value)
        return "\(value) \(String(reflecting: value)) \(dumped) \(mirror.children.map { "\($0)" })"
    }

    @Test("no way of printing shows a byte of a key", arguments: IdentityAlgorithm.allCases)
    func unprintable(_ algorithm: IdentityAlgorithm) throws {
        // A seed whose bytes would be recognised in decimal, hexadecimal and text.
        let seed = [UInt8](repeating: 0x5a, count: 32)
        let identity = try Identity(algorithm: algorithm, seed: SecretBytes(copying: seed))
        let tunnel = try TunnelPrivateKey(seed: SecretBytes(copying: seed))
        let mlkem = try MLKEM768PrivateKey(seed: SecretBytes(copying: seed + seed))
        let x25519 = try X25519PrivateKey(seed: SecretBytes(copying: seed))
        for text in [everyPrint(of: identity), everyPrint(of: tunnel), everyPrint(of: mlkem), everyPrint(of: x25519)] {
            for trace in ["90, 90", "5a5a", "5A5A", "ZZZZ", "WlpaWlpa"] {
                #expect(!text.contains(trace))
            }
            #expect(!text.contains("children: [("))
        }
        #expect("\(tunnel) \(mlkem) \(x25519)" == "TunnelPrivateKey MLKEM768PrivateKey X25519PrivateKey")
        #expect("\(identity)".hasPrefix("Identity(\(algorithm.rawValue), "))
    }

    @Test("the memory of a secret is zero when it is given back")
    func erased() {
        let seen = Mutex<[[UInt8]]>([])
        SecretBytes.$erasureObserver.withValue({ memory in seen.withLock { $0.append([UInt8](memory)) } }) {
            let secret = SecretBytes(copying: [UInt8](repeating: 0xaa, count: 48))
            #expect(secret.exposed() == [UInt8](repeating: 0xaa, count: 48))
            _ = consume secret
        }
        #expect(seen.withLock { $0 } == [[UInt8](repeating: 0, count: 48)])
    }

    @Test("every secret that a cipher, a derivation and an exported key held is erased")
    func everyOwnerErases() throws {
        let seen = Mutex<[[UInt8]]>([])
        try SecretBytes.$erasureObserver.withValue({ memory in seen.withLock { $0.append([UInt8](memory)) } }) {
            var random = SeededRandom(6)
            let key = SecretBytes.random(count: 32, using: &random)
            let derived = HKDFSHA512.derive(secret: key, salt: [], info: [], count: 32)
            let cipher = try XChaCha20Poly1305(key: derived)
            _ = cipher.seal([1], nonce: .random(using: &random))
            let copy = key.copy()
            _ = copy.count
            _ = try Identity.generate(.ed25519).pkcs8DER().count
        }
        let erased = seen.withLock { $0 }
        #expect(erased.count >= 5)
        #expect(erased.allSatisfy { $0.allSatisfy { $0 == 0 } })
    }

    @Test("a secret whose making fails is erased too")
    func erasedOnFailure() {
        struct Failure: Error {}
        let seen = Mutex<[[UInt8]]>([])
        SecretBytes.$erasureObserver.withValue({ memory in seen.withLock { $0.append([UInt8](memory)) } }) {
            #expect(throws: Failure.self) {
                _ = try SecretBytes(unsafeUninitializedCapacity: 8) { buffer throws(Failure) in
                    buffer[0] = 0xff
                    throw Failure()
                }.count
            }
        }
        #expect(seen.withLock { $0 } == [[UInt8](repeating: 0, count: 8)])
    }

    @Test("secrets are equal when every bit is")
    func equality() {
        let bytes = (0..<32).map { UInt8($0) }
        func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
            SecretBytes.constantTimeEqual(SecretBytes(copying: left), SecretBytes(copying: right))
        }
        #expect(areEqual(bytes, bytes))
        for index in bytes.indices {
            for bit in 0..<8 {
                var other = bytes
                other[index] ^= 1 << bit
                #expect(!areEqual(bytes, other))
            }
        }
        #expect(!areEqual(bytes, bytes.dropLast()))
        #expect(areEqual([], []))
    }

    @Test("the system's random bytes differ, at every size, and so do those of copies of a source")
    func randomness() {
        var source = SystemRandomSource()
        for count in [16, 32, 1_000, 2_000, 40_000] {
            let first = source.bytes(count)
            let second = source.bytes(count)
            #expect(first != second)
            #expect(first.count == count)
            // Each value is missing from 2,000 random bytes with a chance of about one in 2,500.
            if count >= 2_000 { #expect(Set(first).count > 240) }
        }
        var copy = source
        #expect(source.bytes(32) != copy.bytes(32))
    }
}
