import Crypto
import KamuneCrypto
import KamuneTestSupport
import Testing

/// Recorded exchanges of kamune 0.7: X-Wing and HPKE, ML-KEM-768, X25519.
@Suite struct ExchangeVectorTests {
    struct File: Decodable {
        struct Frame: Decodable { let frame, plain: HexBytes }
        struct Direction: Decodable {
            let encapsulated, sharedSecret, key, baseNonce: HexBytes
            let frames: [Frame]
        }
        struct KEM: Decodable { let seed, `public`, ciphertext, sharedSecret: HexBytes }
        struct Session: Decodable {
            let name: String
            let iSeed, iPublic, rSeed, rPublic: HexBytes
            let i2r, r2i: Direction
            let mlkem: KEM?
        }
        struct Agreement: Decodable {
            let aPrivate, bPrivate, aPublic, bPublic, shared: HexBytes
            let tokens: [HexBytes]
        }
        let sessions: [Session]
        let x25519: [Agreement]
    }

    let file: File

    init() throws {
        file = try Vectors.load("exchange")
        #expect(file.sessions.count == 6)
    }

    @Test func tunnelKeys() throws {
        for session in file.sessions {
            #expect(try TunnelPrivateKey(seed: session.iSeed.secret).publicKey == session.iPublic.bytes)
            #expect(try TunnelPrivateKey(seed: session.rSeed.secret).publicKey == session.rPublic.bytes)
        }
    }

    /// The recipient finds the recorded context by itself, and opens what Go sealed.
    @Test func openingRecordedTunnels() throws {
        for session in file.sessions {
            for (direction, seed) in [(session.i2r, session.rSeed), (session.r2i, session.iSeed)] {
                let key = try TunnelPrivateKey(seed: seed.secret)
                var opener = try TunnelOpener(encapsulatedKey: direction.encapsulated.bytes, privateKey: key)
                #expect(!direction.frames.isEmpty)
                for frame in direction.frames {
                    #expect(try opener.open(frame.frame.bytes) == frame.plain.bytes, "\(session.name)")
                }
            }
        }
    }

    /// A context of recorded secrets seals to the recorded bytes and opens them.
    @Test func replayingRecordedContexts() throws {
        for session in file.sessions {
            for direction in [session.i2r, session.r2i] {
                var sealer = try TunnelSealer(key: direction.key.secret, baseNonce: direction.baseNonce.bytes)
                var opener = try TunnelOpener(key: direction.key.secret, baseNonce: direction.baseNonce.bytes)
                for frame in direction.frames {
                    #expect(try sealer.seal(frame.plain.bytes) == frame.frame.bytes, "\(session.name)")
                    #expect(try opener.open(frame.frame.bytes) == frame.plain.bytes, "\(session.name)")
                }
            }
        }
    }

    /// The key schedule of RFC 9180 §5.1, written out in this test, leads from the KEM's secret to the context.
    @Test func keySchedule() {
        for session in file.sessions {
            for direction in [session.i2r, session.r2i] {
                let context = HPKEKeySchedule.context(sharedSecret: direction.sharedSecret.bytes)
                #expect(context.key == direction.key.bytes)
                #expect(context.baseNonce == direction.baseNonce.bytes)
            }
        }
    }

    @Test func mlkem() throws {
        var count = 0
        for vector in file.sessions.compactMap(\.mlkem) {
            let key = try MLKEM768PrivateKey(seed: vector.seed.secret)
            #expect(key.publicKey == vector.public.bytes)
            #expect(try key.decapsulate(vector.ciphertext.bytes).exposed() == vector.sharedSecret.bytes)
            count += 1
        }
        #expect(count == 5)
    }

    /// Both sides find the same secret, and expand it, unextracted, into the relay's tokens.
    @Test func x25519() throws {
        #expect(!file.x25519.isEmpty)
        for vector in file.x25519 {
            let a = try X25519PrivateKey(seed: vector.aPrivate.secret)
            let b = try X25519PrivateKey(seed: vector.bPrivate.secret)
            #expect(a.publicKey == vector.aPublic.bytes)
            #expect(b.publicKey == vector.bPublic.bytes)
            #expect(try a.sharedSecret(with: b.publicKey).exposed() == vector.shared.bytes)
            #expect(try b.sharedSecret(with: a.publicKey).exposed() == vector.shared.bytes)
        }
    }
}

/// The key schedule of RFC 9180 §5.1 for our suite in base mode with empty info: KEM 0x647a, KDF 3, AEAD 3.
enum HPKEKeySchedule {
    private static let suiteID = Array("HPKE".utf8) + [0x64, 0x7a, 0x00, 0x03, 0x00, 0x03]

    static func context(sharedSecret: [UInt8]) -> (key: [UInt8], baseNonce: [UInt8]) {
        let context =
            [0] + labeledExtract(salt: [], label: "psk_id_hash", []) + labeledExtract(salt: [], label: "info_hash", [])
        let secret = labeledExtract(salt: sharedSecret, label: "secret", [])
        return (
            labeledExpand(secret, label: "key", context, count: 32),
            labeledExpand(secret, label: "base_nonce", context, count: 12)
        )
    }

    private static func labeledExtract(salt: [UInt8], label: String, _ material: [UInt8]) -> [UInt8] {
        hmac(salt, Array("HPKE-v1".utf8) + suiteID + Array(label.utf8) + material)
    }

    private static func labeledExpand(_ secret: [UInt8], label: String, _ info: [UInt8], count: Int) -> [UInt8] {
        let size = [UInt8(count >> 8), UInt8(count & 0xff)]
        return Array(
            hmac(secret, size + Array("HPKE-v1".utf8) + suiteID + Array(label.utf8) + info + [1]).prefix(count))
    }

    private static func hmac(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA512>.authenticationCode(for: message, using: SymmetricKey(data: key)))
    }
}
