import Foundation
import KamuneCrypto
import KamuneTestSupport
import Testing

/// What the parsers of keys make of files that somebody damaged or forged. The initializers have typed errors, so what
/// is refused is refused with a `CryptoError`; which one is told where it matters to a person.
@Suite("Hostile key files")
struct HostileKeyFileTests {
    static let privateText = Array(KeyFileTests.rfc8410Private.utf8)
    static let publicText = Array(KeyFileTests.rfc8410Public.utf8)

    private func privateKey(_ text: [UInt8]) -> PublicIdentity? {
        try? Identity(pem: SecretBytes(copying: text)).publicKey
    }

    /// Which values of the last byte, the line feed, are blank and so leave a file what it was.
    private static let blanks: Set<UInt8> = [0x09, 0x0a, 0x0d, 0x20]

    @Test("private PEM: every byte set to every value gives an error or another key, never the same one")
    func everyByteOfPrivatePEM() throws {
        let key = try Identity(pem: KeyFileTests.rfc8410Private).publicKey
        var text = Self.privateText
        var others = 0
        for index in text.indices {
            let original = text[index]
            for value in UInt8.min...UInt8.max where value != original {
                text[index] = value
                guard let found = privateKey(text) else { continue }
                if found == key {
                    // The body's seventh letter, at 34, holds the version's lowest bit: "E" makes it 1, which allows a
                    // public key, and does not demand it (RFC 5958 §2).
                    let isVersionOne = index == 34 && value == UInt8(ascii: "E")
                    let isBlankEnd = index == text.count - 1 && Self.blanks.contains(value)
                    #expect(isVersionOne || isBlankEnd, "byte \(index) is \(value)")
                } else {
                    others += 1
                }
            }
            text[index] = original
        }
        // The seed fills 42 characters, and a sixth of another: 63 other letters each, and the bits of the shared one.
        #expect((42 * 63...44 * 63).contains(others), "\(others)")
    }

    @Test("public PEM: every byte set to every value gives an error or another key, never the same one")
    func everyByteOfPublicPEM() throws {
        let key = try PublicIdentity(pem: KeyFileTests.rfc8410Public)
        var text = Self.publicText
        for index in text.indices {
            let original = text[index]
            // A String holds no byte above 127 alone; those are read as the replacement character.
            for value in UInt8.min...0x7f where value != original {
                text[index] = value
                guard let found = try? PublicIdentity(pem: String(decoding: text, as: UTF8.self)) else { continue }
                let isBlankEnd = index == text.count - 1 && Self.blanks.contains(value)
                #expect((found == key) == isBlankEnd, "byte \(index) is \(value)")
            }
            text[index] = original
        }
    }

    @Test("PEM cut at every length is refused, except for the line feed at its end")
    func truncatedPEM() {
        for text in [Self.privateText, Self.publicText] {
            for count in 0..<text.count {
                let cut = Array(text[..<count])
                #expect((privateKey(cut) != nil) == (text == Self.privateText && count == text.count - 1), "\(count)")
                let publicKey = try? PublicIdentity(pem: String(decoding: cut, as: UTF8.self))
                #expect((publicKey != nil) == (text == Self.publicText && count == text.count - 1), "\(count)")
            }
        }
    }

    @Test("PEM with other line ends and blank lines around it is the same file (RFC 7468 §3)")
    func harmlessPEM() throws {
        let key = try Identity(pem: KeyFileTests.rfc8410Private).publicKey
        let text = KeyFileTests.rfc8410Private
        for variant in [
            text.replacingOccurrences(of: "\n", with: "\r\n"), "\n\r\n \n" + text, text + "\n\n\r\n \t\n",
            text.replacingOccurrences(of: "\n", with: " \t\n"), String(text.dropLast()),
            // What editors and people add, and what “openssl pkey -text” writes around it (RFC 7468 §2).
            "\u{feff}" + text, "\u{feff}hello\n" + text, "    " + text.replacingOccurrences(of: "\n", with: "\n    "),
            "My key:\n--\n" + text + "ED25519 Private-Key:\npriv:\n    d4:ee:72\n", text + "x", text + "\0",
        ] {
            #expect(try Identity(pem: variant).publicKey == key)
        }
    }

    @Test(
        "what is wrong with a file that is not PEM is named",
        arguments: [
            ("", "it is empty"), (" \r\n\t", "it is empty"), ("hello", "it has no line “-----BEGIN …-----”"),
            ("-----BEGIN PRIVATE KEY-----\nMC4C", "it has no END line"),
            ("-----BEGIN PRIVATE KEY-----\nA: b\n\nMC4C\n-----END PRIVATE KEY-----", "it has headers before its body"),
            (KeyFileTests.rfc8410Private + KeyFileTests.rfc8410Private, "it holds more than one block"),
        ])
    func namedPEM(text: String, reason: String) {
        #expect(thrownError { _ = try Identity(pem: text) } == .malformedPEM(reason: reason))
    }

    @Test("a text in UTF-16 is named as such")
    func utf16() {
        let bytes: [UInt8] = [0xff, 0xfe] + KeyFileTests.rfc8410Private.utf8.flatMap { [$0, 0] as [UInt8] }
        #expect(
            thrownError { _ = try Identity(pem: SecretBytes(copying: bytes)) }
                == .malformedPEM(reason: "it is in UTF-16; save it in UTF-8"))
    }

    @Test("PEM that holds more, less or something else is refused")
    func malformedPEM() {
        let text = KeyFileTests.rfc8410Private
        let body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
        func block(_ body: String, begin: String = "PRIVATE KEY", end: String = "PRIVATE KEY") -> String {
            "-----BEGIN \(begin)-----\n\(body)\n-----END \(end)-----\n"
        }
        let cases: [(name: String, text: String)] = [
            ("text before it in its line", "hello " + text), ("a NUL in front", "\0" + text),
            ("text behind it in its line", text.dropLast() + " x\n"), ("two blocks", text + text),
            ("a public key behind", text + KeyFileTests.rfc8410Public),
            ("a header", block("Comment: mine\n\n" + body)), ("no body", block("")),
            ("labels that differ", block(body, end: "PUBLIC KEY")), ("an empty label", block(body, begin: "", end: "")),
            ("a label in lower case", block(body, begin: "private key")),
            ("padding that does not belong", block(body + "====")), ("padding in front", block("====" + body)),
            ("padding within", block("MC4=" + body.dropFirst(4))), ("base64url", block(body.replacing("+", with: "-"))),
            ("letters beyond ASCII", block("ＭＣ４Ｃ" + body.dropFirst(4))),
            ("four dashes", text.replacingOccurrences(of: "-----END", with: "----END")),
            ("one line", text.replacingOccurrences(of: "\n", with: "")),
            ("old Mac line ends", text.replacingOccurrences(of: "\n", with: "\r")),
            ("a long label", block(body, begin: String(repeating: "A", count: 100_000))),
        ]
        for (name, text) in cases {
            switch thrownError({ _ = try Identity(pem: text) }) {
            case .malformedPEM: break
            case .unexpectedPEMLabel where name == "a label in lower case": break
            case let other: Issue.record("\(name): \(String(describing: other))")
            }
        }
    }

    @Test("a base64 text whose unused bits are not zero is refused: a key has one encoding (RFC 4648 §3.5)")
    func looseBase64() throws {
        let text = KeyFileTests.rfc8410PrivateWithPublic
        _ = try Identity(pem: text)
        for last in ["F", "G", "H"] {
            let loose = text.replacingOccurrences(of: "ZuE=", with: "Zu\(last)=")
            #expect(loose != text)
            #expect(thrownError { _ = try Identity(pem: loose) } == .malformedPEM(reason: "its body is not base64"))
        }
    }

    @Test("files of other kinds are refused by their label, in both directions")
    func labels() throws {
        for label in ["EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "CERTIFICATE", "RSA PRIVATE KEY", "PUBLIC KEY"] {
            let text = KeyFileTests.rfc8410Private.replacingOccurrences(of: "PRIVATE KEY", with: label)
            #expect(
                thrownError { _ = try Identity(pem: text) }
                    == .unexpectedPEMLabel(found: label, expected: "PRIVATE KEY"))
        }
        // What is private must not pass for public, and the error does not repeat it.
        let error = thrownError { _ = try PublicIdentity(pem: KeyFileTests.rfc8410Private) }
        #expect(error == .unexpectedPEMLabel(found: "PRIVATE KEY", expected: "PUBLIC KEY"))
        #expect(!"\(String(describing: error))".contains("MC4C"))
        #expect(
            thrownError { _ = try Identity(pem: KeyFileTests.rfc8410Public) }
                == .unexpectedPEMLabel(found: "PUBLIC KEY", expected: "PRIVATE KEY"))
    }

    @Test("encrypted keys are named as such: by label, by the old header, and by their DER alone")
    func encrypted() throws {
        let old = """
            -----BEGIN PRIVATE KEY-----
            Proc-Type: 4,ENCRYPTED
            DEK-Info: AES-128-CBC,00000000000000000000000000000000

            AAAA
            -----END PRIVATE KEY-----
            """
        #expect(thrownError { _ = try Identity(pem: old) } == .encryptedKey)
        // EncryptedPrivateKeyInfo (RFC 5958 §3): an algorithm (PBES2) and an octet string.
        let der: HexBytes = "301b 300b 06092a864886f70d01050d 040c 000102030405060708090a0b"
        #expect(thrownError { _ = try Identity(pkcs8: der.bytes) } == .encryptedKey)
    }

    @Test(
        "private DER: every byte in front of the seed set to every value, and every bit of the seed, gives an error or, in the seed, another key"
    )
    func everyByteOfPrivateDER() throws {
        let identity = try Identity(pem: KeyFileTests.rfc8410Private)
        var der = identity.pkcs8DER().exposed()
        for index in der.indices {
            let original = der[index]
            let isSeed = index >= der.count - 32
            // Any seed will do, so of its bytes only the bits are tried.
            let values = isSeed ? (0..<8).map { original ^ 1 << $0 } : (UInt8.min...UInt8.max).filter { $0 != original }
            for value in values {
                der[index] = value
                let found = try? Identity(pkcs8: der).publicKey
                if index == 4 && value == 1 {
                    // Version 1 allows a public key, and does not demand it (RFC 5958 §2).
                    #expect(found == identity.publicKey)
                } else {
                    #expect((found != nil) == isSeed, "byte \(index) is \(value)")
                    #expect(found != identity.publicKey)
                }
            }
            der[index] = original
        }
    }

    @Test("a private key that brings its public key: neither can be altered alone")
    func everyByteWithPublicKey() throws {
        let text = KeyFileTests.rfc8410PrivateWithPublic
        let key = try Identity(pem: text).publicKey
        let der = try #require(
            Data(base64Encoded: text.split(separator: "\n").dropFirst().dropLast().joined()).map { [UInt8]($0) })
        // Behind the seed at 16 come the attributes' tag and length, 31 bytes of them, and the public key.
        let attributes = 50..<81
        for index in der.indices {
            for flip in [UInt8(0x01), 0x20, 0x80, 0xff] {
                var altered = der
                altered[index] ^= flip
                let found = try? Identity(pkcs8: altered).publicKey
                if !attributes.contains(index) { #expect(found == nil, "byte \(index) ^ \(flip)") }
                if let found { #expect(found == key) }
            }
            #expect(thrownError { _ = try Identity(pkcs8: Array(der[..<index])) } != nil)
        }
        let other = try Identity(algorithm: .ed25519, seed: SecretBytes(copying: [UInt8](repeating: 1, count: 32)))
        let swapped = der.dropLast(32) + other.publicKey.spki.suffix(32)
        #expect(
            thrownError { _ = try Identity(pkcs8: Array(swapped)) }
                == .malformedKey(reason: "its public key does not belong to its private key"))
    }

    @Test("an ML-DSA key in the form with both: what stands before the expanded key, and ρ, cannot be altered alone")
    func everyByteOfBothForms() throws {
        struct RFC9881: Decodable { let both, expanded: String }
        let examples = try Vectors.load("rfc9881", as: RFC9881.self)
        func der(_ text: String) -> [UInt8]? {
            Data(base64Encoded: text.split(separator: "\n").dropFirst().dropLast().joined()).map { [UInt8]($0) }
        }
        let both = try #require(der(examples.both))
        let key = try Identity(pkcs8: both).publicKey
        let expandedStart = both.count - 4_032
        for index in 0..<(expandedStart + 32) {
            // Version 1 is as good as 0.
            if index == 6 { continue }
            for flip in [UInt8(0x01), 0x80, 0xff] {
                var altered = both
                altered[index] ^= flip
                let found = try? Identity(pkcs8: altered).publicKey
                #expect(found == nil, "byte \(index) ^ \(flip): \(found == key)")
            }
        }
        let expanded = try #require(der(examples.expanded))
        for text in [both, expanded] {
            for count in 0..<text.count { #expect((try? Identity(pkcs8: Array(text[..<count]))) == nil, "\(count)") }
            #expect((try? Identity(pkcs8: text + [0])) == nil)
        }
    }

    @Test("lengths and tags that lie, nest deeply or claim gigabytes end in an error")
    func adversarialDER() {
        let cases: [HexBytes] = [
            "", "30", "3000", "3080", "30800000", "3084ffffffff", "3088ffffffffffffffff", "30887fffffffffffffff",
            "3089010000000000000000", "30ff", "0500", "0201", "020100", "3003020100", "30060201003000",
            "300c02010030000603", "30020200", "3003020180", "30130211 0000000000000000000000000000000000",
            "3011 020100 3005 06032b6570 0485ffffffffff", "3010 020100 3005 06032b6570 0404 0482ffff",
            "300e 020100 3005 06032b6570 0402 0400", "300c 020100 3005 06032b6570 0400",
            "3010 020100 3007 06032b6570 0500 0402 0400", "300d 020100 3005 06032b65f0 0401 04",
            "30818c", "1f8180808080808080808000", "ffffffffffffffff",
        ]
        for der in cases {
            #expect(throws: CryptoError.self) { _ = try Identity(pkcs8: der.bytes) }
            #expect(throws: CryptoError.self) { _ = try PublicIdentity(spki: der.bytes) }
        }
        // Sequences within sequences, as deep as two-byte lengths allow: a parser that recurses must have a limit.
        var nested: [UInt8] = []
        for _ in 0..<10_000 {
            let count = nested.count
            if count < 0x80 {
                nested.insert(contentsOf: [0x30, UInt8(count)], at: 0)
            } else {
                nested.insert(contentsOf: [0x30, 0x82, UInt8(count >> 8), UInt8(count & 0xff)], at: 0)
            }
            if nested.count > 0xff00 { break }
        }
        #expect(throws: CryptoError.self) { _ = try Identity(pkcs8: nested) }
        #expect(throws: CryptoError.self) { _ = try PublicIdentity(spki: nested) }
    }
}
