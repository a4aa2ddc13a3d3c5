import Foundation
import KamuneCrypto
import KamuneTestSupport
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

    /// What the memory of each secret held when it was given back, in the course of a call.
    private func observingErasures(during body: () throws -> Void) rethrows -> [[UInt8]] {
        let seen = Mutex<[[UInt8]]>([])
        let observer = SecretBytes.ErasureObserver { memory in
            seen.withLock { $0.append([UInt8](memory)) }
        }
        try SecretBytes.$erasureObserver.withValue(observer, operation: body)
        return seen.withLock { $0 }
    }

    @Test("the memory of a secret is zero when it is given back")
    func erased() {
        let erased = observingErasures {
            let secret = SecretBytes(copying: [UInt8](repeating: 0xaa, count: 48))
            #expect(secret.exposed() == [UInt8](repeating: 0xaa, count: 48))
            _ = consume secret
        }
        #expect(erased == [[UInt8](repeating: 0, count: 48)])
    }

    @Test("every secret that a cipher, a derivation and an exported key held is erased")
    func everyOwnerErases() throws {
        let erased = try observingErasures {
            var random = SeededRandom(6)
            let key = SecretBytes.random(count: 32, using: &random)
            let derived = HKDFSHA512.derive(secret: key, salt: [], info: [], count: 32)
            let cipher = try XChaCha20Poly1305(key: derived)
            _ = cipher.seal([1], nonce: .random(using: &random))
            let copy = key.copy()
            _ = copy.count
            _ = try Identity.generate(.ed25519).pkcs8DER().count
        }
        #expect(erased.count >= 5)
        #expect(erased.allSatisfy { $0.allSatisfy { $0 == 0 } })
    }

    @Test("a secret whose making fails is erased too")
    func erasedOnFailure() {
        struct Failure: Error {}
        let erased = observingErasures {
            #expect(throws: Failure.self) {
                _ = try SecretBytes(unsafeUninitializedCapacity: 8) { buffer throws(Failure) in
                    buffer[0] = 0xff
                    throw Failure()
                }.count
            }
        }
        #expect(erased == [[UInt8](repeating: 0, count: 8)])
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

    @Test("byte strings are equal when every bit is, at every length, even where differences would cancel out")
    func bufferEquality() {
        var random = SeededRandom(10)
        for count in 0...65 {
            let bytes = random.bytes(count)
            #expect(constantTimeEqual(bytes, Array(bytes)))
            #expect(!constantTimeEqual(bytes, bytes + [0]))
            #expect(!constantTimeEqual(bytes + [0], bytes))
            for index in bytes.indices {
                for bit in 0..<8 {
                    var other = bytes
                    other[index] ^= 1 << bit
                    #expect(!constantTimeEqual(bytes, other))
                    // The same difference once more, elsewhere: a sum or an exclusive or of all would be zero.
                    let second = (index + 1) % count
                    guard second != index else { continue }
                    other[second] ^= 1 << bit
                    #expect(!constantTimeEqual(bytes, other))
                }
            }
        }
    }

    @Test("what owns a secret cannot be copied, so it cannot become Any, and neither be printed nor reflected on")
    func noncopyable() {
        // The control: the question can be answered both ways.
        #expect(isCopyable(Identity.self) && isCopyable([UInt8].self))
        #expect(!isCopyable(SecretBytes.self))
        #expect(!isCopyable(XChaCha20Poly1305.self))
        #expect(!isCopyable(TunnelSealer.self))
        #expect(!isCopyable(TunnelOpener.self))
        #expect(!isCopyable(TunnelEncapsulation.self))
        #expect(!isCopyable(MLKEM768Encapsulation.self))
    }

    // The compiler takes the first for whatever can be copied, and has only the second for what cannot.
    private func isCopyable<Value>(_ type: Value.Type) -> Bool { true }
    private func isCopyable<Value: ~Copyable>(_ type: Value.Type) -> Bool { false }

    #if os(Linux)
    /// The observer is called by the code under test; here the kernel is asked instead what the memory holds. It may
    /// have been given to somebody else by then, so all that is shown is that the secret is not there any more.
    @Test("the kernel does not find a secret where it was")
    func memoryAfterwards() throws {
        var random = SeededRandom(11)
        for count in [32, 64, 1_000, 4_096] {
            let secret = SecretBytes.random(count: count, using: &random)
            let expected = secret.exposed()
            let address = secret.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
            #expect(try Self.memory(at: address, count: count) == expected)
            _ = consume secret
            // Nothing where the page is gone too.
            let found = (try? Self.memory(at: address, count: count)) ?? []
            for (index, byte) in found.enumerated() where index + 8 <= found.count && byte == expected[index] {
                #expect(found[index..<(index + 8)] != expected[index..<(index + 8)], "\(count) bytes, at \(index)")
            }
        }
    }

    private static func memory(at address: UInt, count: Int) throws -> [UInt8] {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/mem"))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(address))
        return [UInt8](try file.read(upToCount: count) ?? Data())
    }
    #endif
}
