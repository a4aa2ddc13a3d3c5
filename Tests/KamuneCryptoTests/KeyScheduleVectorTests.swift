import KamuneCrypto
import KamuneTestSupport
import Testing

/// Derivations and sealed frames as kamune 0.7 makes them.
@Suite struct KeyScheduleVectorTests {
    struct File: Decodable {
        struct Labels: Decodable { let transcript, c2s, s2c, root, token: String }
        struct Handshake: Decodable { let salt: HexBytes }
        struct Session: Decodable {
            let name, sessionId: String
            let secret: HexBytes
            let request, response: Handshake
            let c2sKey, s2cKey, c2sChallengeInfo, c2sChallenge, s2cChallengeInfo, s2cChallenge, resumptionRoot: HexBytes
            let resumptionTokens: [HexBytes]
        }
        struct Derivation: Decodable { let ikm, salt, info, out: HexBytes }
        struct Frame: Decodable {
            let size, frameSize: Int
            let key, nonce: HexBytes
            let frame, plain: HexBytes?
            let frameSha256, plainSha256: HexBytes?
        }
        struct Open: Decodable {
            struct Case: Decodable {
                let name: String
                let frame: HexBytes
                let ok: Bool
                let plain: HexBytes?
            }
            let key: HexBytes
            let cases: [Case]
        }
        let labels: Labels
        let sessions: [Session]
        let hkdfSha512: [Derivation]
        let frames: [Frame]
        let open: Open
    }

    let file: File

    init() throws {
        file = try Vectors.load("keyschedule")
    }

    @Test func derivations() {
        #expect(file.hkdfSha512.count == 25)
        for vector in file.hkdfSha512 {
            let derived = HKDFSHA512.derive(
                secret: vector.ikm.secret, salt: vector.salt.bytes, info: vector.info.bytes,
                count: vector.out.bytes.count)
            #expect(derived.exposed() == vector.out.bytes)
        }
    }

    @Test func sessionKeys() {
        #expect(file.sessions.count == 4)
        for session in file.sessions {
            let secret = session.secret.secret
            func derive(_ salt: [UInt8], _ info: [UInt8]) -> [UInt8] {
                HKDFSHA512.derive(secret: secret, salt: salt, info: info, count: 32).exposed()
            }
            let id = session.sessionId
            #expect(derive(session.request.salt.bytes, Array((file.labels.c2s + id).utf8)) == session.c2sKey.bytes)
            #expect(derive(session.response.salt.bytes, Array((file.labels.s2c + id).utf8)) == session.s2cKey.bytes)
            #expect(derive([], session.c2sChallengeInfo.bytes) == session.c2sChallenge.bytes)
            #expect(derive([], session.s2cChallengeInfo.bytes) == session.s2cChallenge.bytes)
            #expect(derive(Array(id.utf8), Array(file.labels.root.utf8)) == session.resumptionRoot.bytes)
            for (index, token) in session.resumptionTokens.enumerated() {
                let number = withUnsafeBytes(of: UInt32(index).bigEndian) { Array($0) }
                let derived = HKDFSHA512.derive(
                    secret: session.resumptionRoot.secret, salt: [], info: Array(file.labels.token.utf8) + number,
                    count: 32)
                #expect(derived.exposed() == token.bytes, "\(session.name), token \(index)")
            }
        }
    }

    @Test func frames() throws {
        #expect(file.frames.count == 14)
        for vector in file.frames {
            let plaintext = (0..<vector.size).map { UInt8(truncatingIfNeeded: 7 * $0 + 3) }
            let cipher = try XChaCha20Poly1305(key: vector.key.secret)
            let frame = cipher.seal(plaintext, nonce: try .init(vector.nonce.bytes))
            #expect(frame.count == vector.frameSize)
            if let expected = vector.frame { #expect(frame == expected.bytes, "\(vector.size) bytes") }
            if let expected = vector.plain { #expect(plaintext == expected.bytes, "\(vector.size) bytes") }
            if let expected = vector.frameSha256 {
                #expect(SHA256Digest.hash(frame) == expected.bytes, "\(vector.size) bytes")
            }
            #expect(vector.frame != nil || vector.frameSha256 != nil)
            #expect(try cipher.open(frame) == plaintext)
        }
    }

    @Test func openingDamagedFrames() throws {
        #expect(file.open.cases.count == 13)
        let cipher = try XChaCha20Poly1305(key: file.open.key.secret)
        for vector in file.open.cases {
            if vector.ok {
                #expect(try cipher.open(vector.frame.bytes) == vector.plain?.bytes, "\(vector.name)")
            } else {
                let expected: CryptoError =
                    vector.frame.bytes.count < XChaCha20Poly1305.overhead ? .malformedCiphertext : .authenticationFailed
                #expect(thrownError { _ = try cipher.open(vector.frame.bytes) } == expected, "\(vector.name)")
            }
        }
    }
}
