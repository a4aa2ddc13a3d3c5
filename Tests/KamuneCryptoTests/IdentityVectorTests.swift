import KamuneCrypto
import KamuneTestSupport
import Testing

/// Keys, encodings and fingerprints as kamune 0.7 makes them.
@Suite struct IdentityVectorTests {
    struct File: Decodable {
        struct Key: Decodable {
            let name: String
            let seed, `public`, spki, pkcs8, emojiUtf8: HexBytes
            let base64, sum, hex, pseudonym: String
            let emoji: [String]
        }
        struct SPKICheck: Decodable {
            let name: String
            let spki: HexBytes
            let ok: Bool
        }
        struct PKCS8Check: Decodable {
            let name: String
            let pkcs8: HexBytes
            let ok: Bool
            let `public`: HexBytes?
        }
        struct Raw: Decodable {
            let input, emojiUtf8: HexBytes
            let base64, sum, hex, pseudonym: String
            let emoji: [String]
        }
        struct Cover: Decodable {
            struct Input: Decodable {
                let n: UInt32
                let emoji, pseudonym: String
            }
            let adjectives, nouns, emoji: Int
            let inputs: [Input]
        }
        let keys: [Key]
        let spkiChecks: [SPKICheck]
        let pkcs8Checks: [PKCS8Check]
        let raw: [Raw]
        let cover: Cover
    }

    let file: File

    init() throws {
        file = try Vectors.load("identity")
    }

    @Test func keysAndEncodings() throws {
        #expect(file.keys.count == 10)
        for key in file.keys {
            let identity = try Identity(algorithm: .ed25519, seed: key.seed.secret)
            #expect(identity.publicKey.spki == key.spki.bytes, "\(key.name)")
            #expect(identity.publicKey.spki.suffix(32).elementsEqual(key.public.bytes), "\(key.name)")
            #expect(identity.pkcs8DER().exposed() == key.pkcs8.bytes, "\(key.name)")
            #expect(try PublicIdentity(spki: key.spki.bytes) == identity.publicKey, "\(key.name)")
            #expect(try Identity(pkcs8: key.pkcs8.bytes).publicKey == identity.publicKey, "\(key.name)")
            let fingerprint = identity.publicKey.fingerprint
            #expect(fingerprint.base64 == key.base64)
            #expect(fingerprint.sum == key.sum)
            #expect(fingerprint.hex == key.hex)
            #expect(fingerprint.emoji == key.emoji)
            #expect(Array(fingerprint.emoji.joined().utf8) == key.emojiUtf8.bytes)
            #expect(fingerprint.pseudonym == key.pseudonym)
        }
    }

    @Test func publicKeyParser() {
        #expect(file.spkiChecks.count == 11)
        for check in file.spkiChecks {
            #expect(((try? PublicIdentity(spki: check.spki.bytes)) != nil) == check.ok, "\(check.name)")
        }
    }

    @Test func privateKeyParser() {
        #expect(file.pkcs8Checks.count == 4)
        for check in file.pkcs8Checks {
            let identity = try? Identity(pkcs8: check.pkcs8.bytes)
            #expect((identity != nil) == check.ok, "\(check.name)")
            #expect(identity.map { Array($0.publicKey.spki.suffix(32)) } == check.public?.bytes, "\(check.name)")
        }
    }

    @Test func fingerprintsOfAnyBytes() {
        #expect(file.raw.count == 5)
        for raw in file.raw {
            let fingerprint = Fingerprint(spki: raw.input.bytes)
            #expect(fingerprint.base64 == raw.base64)
            #expect(fingerprint.sum == raw.sum)
            #expect(fingerprint.hex == raw.hex)
            #expect(Array(fingerprint.emoji.joined().utf8) == raw.emojiUtf8.bytes)
            #expect(fingerprint.pseudonym == raw.pseudonym)
        }
    }

    /// Every entry of each table, compared as bytes: Swift's `==` on strings is canonical equivalence.
    @Test func everyEmojiAndWord() {
        var emoji: Set<[UInt8]> = []
        var words: Set<Substring> = []
        for input in file.cover.inputs {
            let fingerprint = Fingerprint(spki: withUnsafeBytes(of: input.n.bigEndian) { Array($0) })
            #expect(Array(fingerprint.emoji.joined(separator: " ").utf8) == Array(input.emoji.utf8), "\(input.n)")
            #expect(fingerprint.pseudonym == input.pseudonym, "\(input.n)")
            emoji.formUnion(fingerprint.emoji.map { Array($0.utf8) })
            words.formUnion(input.pseudonym.split(separator: " ").dropLast())
        }
        #expect(emoji.count == file.cover.emoji)
        // "coral" is both an adjective and a noun.
        #expect(words.count == file.cover.adjectives + file.cover.nouns - 1)
    }

    /// The SHA-256 was computed by another implementation; the other forms come from the same digest, as shown above.
    @Test func fingerprintOfAnMLDSAKey() throws {
        struct RFC9881: Decodable { let `public`: String }
        let key = try PublicIdentity(pem: Vectors.load("rfc9881", as: RFC9881.self).public)
        #expect(key.fingerprint.sum == "uLYhMb--hEM--yJz1_W4f3oihUos_TZvwq6thtg3xS0")
        #expect(key.fingerprint.hex.hasPrefix("30:82:07:B2:30:0B:06:09:60:86:48:01:65:03:04:03:12:03:82:07:A1:00:"))
        #expect(key.fingerprint.hex.utf8.count == 3 * 1_974 - 1)
        #expect("\(key)" == "PublicIdentity(ml-dsa-65, \(key.fingerprint.sum))")
    }
}
