import KamuneCrypto
import KamuneTestSupport
import Testing

@Suite("Signatures")
struct SignatureTests {
    struct Example: Sendable {
        let seed, publicKey, message, signature: HexBytes
    }

    /// RFC 8032 §7.1, tests 1 to 3.
    static let rfc8032 = [
        Example(
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            message: "",
            signature: """
                e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bb
                e24655141438e7a100b
                """),
        Example(
            seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            message: "72",
            signature: """
                92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302
                aeeb00d291612bb0c00
                """),
        Example(
            seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            message: "af82",
            signature: """
                6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed
                28dc027beceea1ec40a
                """),
    ]

    @Test("Ed25519, RFC 8032 §7.1", arguments: rfc8032)
    func ed25519(_ example: Example) throws {
        let identity = try Identity(algorithm: .ed25519, seed: example.seed.secret)
        #expect(identity.publicKey.spki.suffix(32).elementsEqual(example.publicKey.bytes))
        #expect(identity.publicKey.isValidSignature(example.signature.bytes, for: example.message.bytes))
        #if !canImport(Darwin)
        // The library of Apple's platforms mixes randomness into its signatures.
        #expect(try identity.sign(example.message.bytes) == example.signature.bytes)
        #endif
    }

    @Test("S beyond the group's order is refused (RFC 8032 §5.1.7), so nobody can make a second signature of one")
    func malleability() throws {
        let order: HexBytes = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"
        for example in Self.rfc8032 {
            let key = try Identity(algorithm: .ed25519, seed: example.seed.secret).publicKey
            var signature = example.signature.bytes
            var carry = 0
            for index in 0..<32 {
                let sum = Int(signature[32 + index]) + Int(order.bytes[index]) + carry
                signature[32 + index] = UInt8(sum & 0xff)
                carry = sum >> 8
            }
            #expect(carry == 0)
            #expect(!key.isValidSignature(signature, for: example.message.bytes))
        }
    }

    @Test("a signature or a message with any byte changed, or a signature of another size, is not valid")
    func damaged() throws {
        for algorithm in IdentityAlgorithm.allCases {
            let identity = try Identity(algorithm: algorithm, seed: SecretBytes(copying: Array(0..<32)))
            let key = identity.publicKey
            let message = Array("what was said".utf8)
            let signature = try identity.sign(message)
            #expect(signature.count == algorithm.signatureSize)
            #expect(key.isValidSignature(signature, for: message))
            // Of the long signature a byte here and there: at the challenge, in z, and in the hint at its end.
            for index in signature.indices where algorithm == .ed25519 || index % 41 == 0 || index > 3_240 {
                for bit in algorithm == .ed25519 ? 0..<8 : (index % 8)..<(index % 8 + 1) {
                    var altered = signature
                    altered[index] ^= 1 << bit
                    #expect(!key.isValidSignature(altered, for: message), "\(algorithm), byte \(index), bit \(bit)")
                }
            }
            for index in message.indices {
                var altered = message
                altered[index] ^= 0x01
                #expect(!key.isValidSignature(signature, for: altered))
            }
            for other in [[], Array(signature.dropLast()), signature + [0], Array(signature.dropFirst())] {
                #expect(!key.isValidSignature(other, for: message))
            }
            #expect(!key.isValidSignature(signature, for: message + [0]))
        }
    }

    @Test("nobody else's key verifies a signature, nor does a key of the other algorithm from the same seed")
    func otherKeys() throws {
        let message = Array("what was said".utf8)
        let identities = try IdentityAlgorithm.allCases.flatMap { algorithm in
            try [UInt8(1), 2].map { byte in
                try Identity(
                    algorithm: algorithm, seed: SecretBytes(copying: [UInt8](repeating: byte, count: 32)))
            }
        }
        for (index, signer) in identities.enumerated() {
            let signature = try signer.sign(message)
            for (other, verifier) in identities.enumerated() {
                #expect(verifier.publicKey.isValidSignature(signature, for: message) == (index == other))
            }
        }
    }

    @Test("an Ed25519 key that is no point, or one of small order, verifies nothing that somebody else could make")
    func degenerateKeys() throws {
        let header: HexBytes = "302a300506032b6570032100"
        let notAPoint: HexBytes = "0200000000000000000000000000000000000000000000000000000000000000"
        let identity: HexBytes = "0100000000000000000000000000000000000000000000000000000000000000"
        let key = try PublicIdentity(spki: header.bytes + notAPoint.bytes)
        for signature in [[UInt8](repeating: 0, count: 64), identity.bytes + [UInt8](repeating: 0, count: 32)] {
            #expect(!key.isValidSignature(signature, for: [1, 2, 3]))
        }
    }

    @Test("seeds of a wrong size are refused", arguments: IdentityAlgorithm.allCases)
    func seedSizes(_ algorithm: IdentityAlgorithm) {
        for count in [0, 31, 33, 64] {
            #expect(
                thrownError {
                    _ = try Identity(
                        algorithm: algorithm, seed: SecretBytes(copying: [UInt8](repeating: 0, count: count)))
                } == .invalidLength(expected: 32, actual: count))
        }
    }
}
