import KamuneCrypto
import KamuneTestSupport
import Testing

/// The public suites of the Wycheproof project and of the X-Wing draft. They are not part of the repository: where their
/// folder is missing, these tests are skipped (see CONTRIBUTING.md).
@Suite("Standard vectors", .enabled(if: Vectors.haveStandard, "the folder of standard vectors is not here"))
struct StandardVectorTests {
    @Test("XChaCha20-Poly1305")
    func aead() throws {
        struct Group: Decodable {
            struct Case: Decodable {
                let tcId: Int
                let key: HexBytes
                let iv: HexBytes
                let aad: HexBytes
                let msg: HexBytes
                let ct: HexBytes
                let tag: HexBytes
                let result: String
            }
            let tests: [Case]
        }
        let cases = try Vectors.loadStandard(Wycheproof<Group>.self, "xchacha20_poly1305_test").testGroups
            .flatMap(\.tests)
        #expect(cases.count == 315)
        var opened = 0
        for vector in cases {
            let cipher = try XChaCha20Poly1305(key: vector.key.secret)
            let frame = vector.iv.bytes + vector.ct.bytes + vector.tag.bytes
            guard vector.iv.bytes.count == XChaCha20Poly1305.nonceSize else {
                // The nonce is the frame's first 24 bytes here, so one of another size is a damaged frame.
                #expect(throws: CryptoError.self, "\(vector.tcId)") {
                    try XChaCha20Poly1305.Nonce(vector.iv.bytes)
                }
                continue
            }
            if vector.result == "valid" {
                let nonce = try XChaCha20Poly1305.Nonce(vector.iv.bytes)
                #expect(cipher.seal(vector.msg.bytes, nonce: nonce, associatedData: vector.aad.bytes) == frame)
                #expect(try cipher.open(frame, associatedData: vector.aad.bytes) == vector.msg.bytes)
                opened += 1
            } else {
                #expect(
                    thrownError { _ = try cipher.open(frame, associatedData: vector.aad.bytes) }
                        == .authenticationFailed, "\(vector.tcId)")
            }
        }
        #expect(opened == 246)
    }

    @Test("HKDF-SHA512")
    func hkdf() throws {
        struct Group: Decodable {
            struct Case: Decodable {
                let ikm: HexBytes
                let salt: HexBytes
                let info: HexBytes
                let size: Int
                let okm: HexBytes
                let result: String
            }
            let tests: [Case]
        }
        let cases = try Vectors.loadStandard(Wycheproof<Group>.self, "hkdf_sha512_test").testGroups.flatMap(\.tests)
        #expect(cases.count == 83)
        for vector in cases where vector.result == "valid" {
            let derived = HKDFSHA512.derive(
                secret: vector.ikm.secret, salt: vector.salt.bytes, info: vector.info.bytes, count: vector.size)
            #expect(derived.exposed() == vector.okm.bytes)
        }
        #expect(cases.filter { $0.result == "invalid" }.allSatisfy { $0.size > HKDFSHA512.maximumCount })
    }

    @Test("Ed25519 and ML-DSA-65 signatures", arguments: [("ed25519_test", 151), ("mldsa_65_verify_test", 210)])
    func signatures(_ file: (name: String, count: Int)) throws {
        struct Group: Decodable {
            struct Case: Decodable {
                let tcId: Int
                let msg: HexBytes
                let sig: HexBytes
                let ctx: HexBytes?
                let result: String
            }
            let publicKeyDer: HexBytes?
            let tests: [Case]
        }
        let groups = try Vectors.loadStandard(Wycheproof<Group>.self, file.name).testGroups
        #expect(groups.map(\.tests.count).reduce(0, +) == file.count)
        var accepted = 0
        for group in groups {
            let key = try? group.publicKeyDer.map { try PublicIdentity(spki: $0.bytes) }
            // Kamune signs without a context (FIPS 204 §5.2), so the vectors with one must fail here.
            for vector in group.tests {
                let isValid = key?.isValidSignature(vector.sig.bytes, for: vector.msg.bytes) ?? false
                let hasContext = !(vector.ctx?.bytes.isEmpty ?? true)
                #expect(isValid == (vector.result == "valid" && !hasContext), "\(file.name) \(vector.tcId)")
                if isValid { accepted += 1 }
            }
        }
        #expect(accepted > 50)
    }

    @Test("ML-DSA-65 keys from seeds")
    func mldsaSeeds() throws {
        struct Group: Decodable {
            let privateSeed: HexBytes
            let privateKeyPkcs8: HexBytes?
            let publicKey: HexBytes?
        }
        let groups = try Vectors.loadStandard(Wycheproof<Group>.self, "mldsa_65_sign_seed_test").testGroups
        var count = 0
        for group in groups {
            guard let publicKey = group.publicKey, group.privateSeed.bytes.count == 32 else { continue }
            let identity = try Identity(algorithm: .mldsa65, seed: group.privateSeed.secret)
            #expect(identity.publicKey.spki.suffix(publicKey.bytes.count).elementsEqual(publicKey.bytes))
            if let pkcs8 = group.privateKeyPkcs8 {
                #expect(try Identity(pkcs8: pkcs8.bytes).publicKey == identity.publicKey)
                #expect(identity.pkcs8DER().exposed() == pkcs8.bytes)
            }
            count += 1
        }
        #expect(count > 20)
    }

    @Test("ML-KEM-768")
    func mlkem() throws {
        struct Group: Decodable {
            struct Case: Decodable {
                let tcId: Int
                let seed: HexBytes?
                let ek: HexBytes?
                let c: HexBytes?
                let K: HexBytes?
                let result: String
            }
            let type: String
            let tests: [Case]
        }
        let groups = try Vectors.loadStandard(Wycheproof<Group>.self, "mlkem_768_test").testGroups
        var count = 0
        for vector in groups.flatMap(\.tests) {
            guard let seed = vector.seed, let ciphertext = vector.c else { continue }
            let secret = { () throws -> [UInt8] in
                try MLKEM768PrivateKey(seed: seed.secret).decapsulate(ciphertext.bytes).exposed()
            }
            if vector.result == "valid" {
                if let ek = vector.ek { #expect(try MLKEM768PrivateKey(seed: seed.secret).publicKey == ek.bytes) }
                #expect(try secret() == vector.K?.bytes, "\(vector.tcId)")
            } else {
                #expect(throws: CryptoError.self, "\(vector.tcId)") { try secret() }
            }
            count += 1
        }
        #expect(count > 50)
    }

    @Test("X25519, where a secret of zero is refused as Go refuses it")
    func x25519() throws {
        struct Group: Decodable {
            struct Case: Decodable {
                let tcId: Int
                let `public`: HexBytes
                let `private`: HexBytes
                let shared: HexBytes
                let flags: [String]
            }
            let tests: [Case]
        }
        let cases = try Vectors.loadStandard(Wycheproof<Group>.self, "x25519_test").testGroups.flatMap(\.tests)
        #expect(cases.count == 518)
        for vector in cases {
            let key = try X25519PrivateKey(seed: vector.private.secret)
            if vector.shared.bytes.allSatisfy({ $0 == 0 }) {
                #expect(thrownError { _ = try key.sharedSecret(with: vector.public.bytes) } == .lowOrderPoint)
            } else {
                #expect(try key.sharedSecret(with: vector.public.bytes).exposed() == vector.shared.bytes)
            }
        }
    }

    @Test("X-Wing: keys from seeds, and the recipient's half")
    func xwing() throws {
        struct Vector: Decodable {
            let seed: HexBytes
            let pk: HexBytes
            let ct: HexBytes
            let ss: HexBytes
        }
        let vectors = try Vectors.loadStandard([Vector].self, "xwing")
        #expect(vectors.count == 3)
        for vector in vectors {
            let key = try TunnelPrivateKey(seed: vector.seed.secret)
            #expect(key.publicKey == vector.pk.bytes)
            // The secret itself stays inside HPKE: what it derives shows that both are the same.
            let context = HPKEKeySchedule.context(sharedSecret: vector.ss.bytes)
            var sealer = try TunnelSealer(
                key: SecretBytes(copying: context.key), baseNonce: context.baseNonce)
            var opener = try TunnelOpener(encapsulatedKey: vector.ct.bytes, privateKey: key)
            #expect(try opener.open(try sealer.seal([1, 2, 3])) == [1, 2, 3])
        }
    }
}
