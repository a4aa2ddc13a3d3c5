import Foundation
import KamuneCrypto
import KamuneTestSupport
import Testing

@Suite("Keys in their standard encodings")
struct KeyFileTests {
    /// RFC 8410 §10.1 and §10.3.
    static let rfc8410Public = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----

        """
    static let rfc8410Private = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----

        """
    static let rfc8410PrivateWithPublic = """
        -----BEGIN PRIVATE KEY-----
        MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
        Z9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PRIVATE KEY-----

        """

    @Test("RFC 8410's examples")
    func rfc8410() throws {
        let key = try PublicIdentity(pem: Self.rfc8410Public)
        #expect(key.algorithm == .ed25519)
        #expect(key.pem == Self.rfc8410Public)
        let identity = try Identity(pem: Self.rfc8410Private)
        #expect(identity.publicKey == key)
        #expect(identity.pemRepresentation() == Self.rfc8410Private)
        #expect(try Identity(pem: Self.rfc8410PrivateWithPublic).publicKey == key)
    }

    private struct RFC9881: Decodable {
        let seed: String
        let expanded: String
        let both: String
        let `public`: String
    }

    @Test("RFC 9881's examples: the seed, the expanded key, and both")
    func rfc9881() throws {
        let examples = try Vectors.load("rfc9881", as: RFC9881.self)
        let key = try PublicIdentity(pem: examples.public)
        #expect(key.algorithm == .mldsa65)
        #expect(key.pem == examples.public)
        let identity = try Identity(pem: examples.seed)
        #expect(identity.publicKey == key)
        #expect(identity.pemRepresentation() == examples.seed)
        #expect(try Identity(pem: examples.both).publicKey == key)
        #expect(thrownError { _ = try Identity(pem: examples.expanded) } == .expandedKeyWithoutSeed)
    }

    @Test("what is written is read back", arguments: IdentityAlgorithm.allCases)
    func roundTrip(_ algorithm: IdentityAlgorithm) throws {
        let identity = try Identity.generate(algorithm)
        let again = try Identity(pem: identity.pemRepresentation())
        #expect(again.publicKey == identity.publicKey)
        #expect(try PublicIdentity(pem: identity.publicKey.pem) == identity.publicKey)
        let message = Array("signed by the one, verified by the other".utf8)
        #expect(identity.publicKey.isValidSignature(try again.sign(message), for: message))
    }

    @Test("a file that is not a private key gets the error that says why")
    func wrongFiles() throws {
        let encrypted = """
            -----BEGIN ENCRYPTED PRIVATE KEY-----
            MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgq
            -----END ENCRYPTED PRIVATE KEY-----
            """
        #expect(thrownError { _ = try Identity(pem: encrypted) } == .encryptedKey)
        #expect(
            thrownError { _ = try Identity(pem: Self.rfc8410Public) }
                == .unexpectedPEMLabel(found: "PUBLIC KEY", expected: "PRIVATE KEY"))
        for text in [
            "", "hello", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        ] {
            switch thrownError({ _ = try Identity(pem: text) }) {
            case .malformedPEM, .malformedKey: break
            case let other: Issue.record("\(text): \(String(describing: other))")
            }
        }
        let x25519: HexBytes =
            "302a300506032b656e032100504a36999f489cd2fdbc08baff3d88fa00569ba986cba22548ffde80f9806829"
        #expect(
            thrownError { _ = try PublicIdentity(spki: x25519.bytes) } == .unsupportedAlgorithm(oid: "1.3.101.110"))
    }

    @Test("every byte altered and every length of a private key ends in an error or in another key, never in a trap")
    func hostilePrivateKeys() throws {
        for algorithm in IdentityAlgorithm.allCases {
            let identity = try Identity.generate(algorithm)
            let der = identity.pkcs8DER().exposed()
            // The seed is the last 32 bytes; altering it gives another key, altering what is before it none.
            let seedStart = der.count - 32
            for index in der.indices {
                #expect(throws: CryptoError.self) { _ = try Identity(pkcs8: Array(der[..<index])) }
                // The version: 1 instead of 0 allows a public key, and does not demand it (RFC 5958 §2).
                if index == 4 { continue }
                var altered = der
                altered[index] ^= 0x01
                let key = try? Identity(pkcs8: altered)
                #expect((key != nil) == (index >= seedStart), "\(algorithm) \(index)")
                #expect(key?.publicKey != identity.publicKey)
            }
            #expect(throws: CryptoError.self) { _ = try Identity(pkcs8: der + [0]) }
        }
    }

    @Test("every byte altered and every length of a public key's header ends in an error")
    func hostilePublicKeys() throws {
        for algorithm in IdentityAlgorithm.allCases {
            let spki = try Identity.generate(algorithm).publicKey.spki
            let header = spki.count - (algorithm == .ed25519 ? 32 : 1_952)
            for index in 0..<header {
                for flip in [UInt8(0x01), 0x80, 0xff] {
                    var altered = spki
                    altered[index] ^= flip
                    #expect(throws: CryptoError.self, "\(algorithm) \(index)") {
                        _ = try PublicIdentity(spki: altered)
                    }
                }
            }
            for count in 0..<spki.count {
                #expect(throws: CryptoError.self) { _ = try PublicIdentity(spki: Array(spki[..<count])) }
            }
            #expect(throws: CryptoError.self) { _ = try PublicIdentity(spki: spki + [0]) }
        }
    }

    @Test("random text and random DER never trap")
    func randomInput() {
        var random = SeededRandom(5)
        for _ in 0..<2_000 {
            let bytes = random.bytes(Int.random(in: 0..<80, using: &random))
            #expect(throws: CryptoError.self) { _ = try Identity(pkcs8: bytes) }
            #expect(throws: CryptoError.self) { _ = try PublicIdentity(spki: bytes) }
            #expect(throws: CryptoError.self) { _ = try Identity(pem: String(decoding: bytes, as: UTF8.self)) }
        }
    }
}

/// OpenSSL reads what we write, and we read what OpenSSL writes.
@Suite("Keys and OpenSSL", .enabled(if: OpenSSL.path != nil, "openssl is not installed"))
struct OpenSSLTests {
    @Test("Ed25519 keys, both ways")
    func ed25519() throws {
        let identity = try Identity.generate(.ed25519)
        #expect(
            try OpenSSL.run(["pkey", "-pubout"], input: identity.pemRepresentation()) == identity.publicKey.pem)
        let theirs = try OpenSSL.run(["genpkey", "-algorithm", "ed25519"], input: "")
        #expect(try Identity(pem: theirs).publicKey.pem == (try OpenSSL.run(["pkey", "-pubout"], input: theirs)))
    }

    @Test("ML-DSA-65 keys, both ways", .enabled(if: OpenSSL.hasMLDSA, "this openssl (before 3.5) has no ML-DSA"))
    func mldsa65() throws {
        let identity = try Identity.generate(.mldsa65)
        #expect(
            try OpenSSL.run(["pkey", "-pubout"], input: identity.pemRepresentation()) == identity.publicKey.pem)
        let theirs = try OpenSSL.run(["genpkey", "-algorithm", "ML-DSA-65"], input: "")
        #expect(try Identity(pem: theirs).publicKey.pem == (try OpenSSL.run(["pkey", "-pubout"], input: theirs)))
    }

    // `pkeyutl -rawin` is there from 3.0 on, ML-DSA from 3.5 on.
    @Test(
        "signatures, both ways",
        arguments: IdentityAlgorithm.allCases.filter { $0 == .ed25519 || OpenSSL.hasMLDSA })
    func signatures(_ algorithm: IdentityAlgorithm) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kamune-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        let identity = try Identity.generate(algorithm)
        let message = Array("signed by the one, verified by the other".utf8)
        try Data(message).write(to: URL(fileURLWithPath: path("message")))
        try Data(identity.pemRepresentation().utf8).write(to: URL(fileURLWithPath: path("key")))
        try Data(identity.publicKey.pem.utf8).write(to: URL(fileURLWithPath: path("public")))
        try Data(identity.sign(message)).write(to: URL(fileURLWithPath: path("ours")))
        let verdict = try OpenSSL.run(
            [
                "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", path("public"), "-in", path("message"), "-sigfile",
                path("ours"),
            ], input: "")
        #expect(verdict.contains("Verified Successfully"))
        _ = try OpenSSL.run(
            ["pkeyutl", "-sign", "-rawin", "-inkey", path("key"), "-in", path("message"), "-out", path("theirs")],
            input: "")
        let theirs = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path("theirs"))))
        #expect(identity.publicKey.isValidSignature(theirs, for: message))
    }

    @Test("a private key that openssl encrypted is named as such")
    func encrypted() throws {
        let identity = try Identity.generate(.ed25519)
        let encrypted = try OpenSSL.run(
            ["pkcs8", "-topk8", "-passout", "pass:secret"], input: identity.pemRepresentation())
        #expect(encrypted.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
        #expect(thrownError { _ = try Identity(pem: encrypted) } == .encryptedKey)
    }
}

/// The system's `openssl`.
enum OpenSSL {
    static let path: String? = ["/usr/bin/openssl", "/usr/local/bin/openssl", "/opt/homebrew/bin/openssl"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    static let hasMLDSA: Bool =
        path != nil && ((try? run(["list", "-signature-algorithms"], input: "")) ?? "").contains("ML-DSA-65")

    static func run(_ arguments: [String], input: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(path))
        process.arguments = arguments
        let standardInput = Pipe()
        let output = Pipe()
        process.standardInput = standardInput
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        let result = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: result, as: UTF8.self)
    }
}
