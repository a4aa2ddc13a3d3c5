import KamuneTestKit
import Testing

@testable import KamuneTransport

struct AddressTests {
    @Test(arguments: [
        ("example.org:9000", Address(host: "example.org", port: 9000)),
        ("tcp://example.org:9000", Address(host: "example.org", port: 9000)),
        ("TCP://example.org:9000", Address(host: "example.org", port: 9000)),
        ("udp://example.org:9000", Address(scheme: .udp, host: "example.org", port: 9000)),
        ("example.org.:1", Address(host: "example.org.", port: 1)),
        ("a_b-c.d:65535", Address(host: "a_b-c.d", port: 65_535)),
        ("127.0.0.1:0", Address(host: "127.0.0.1", port: 0)),
        ("[::1]:9000", Address(host: "::1", port: 9000)),
        ("udp://[2001:db8::1]:9000", Address(scheme: .udp, host: "2001:db8::1", port: 9000)),
        ("[::ffff:192.0.2.1]:1", Address(host: "::ffff:192.0.2.1", port: 1)),
        ("[fe80::1%eth0]:9000", Address(host: "fe80::1%eth0", port: 9000)),
        ("[fe80::1%abcdefghijklmno]:1", Address(host: "fe80::1%abcdefghijklmno", port: 1)),
        (":9000", Address(host: "", port: 9000)),
        ("9000", Address(host: "", port: 9000)),
        ("tcp://9000", Address(host: "", port: 9000)),
        ("0", Address(host: "", port: 0)),
        ("host:00080", Address(host: "host", port: 80)),
    ])
    func reads(text: String, expected: Address) throws {
        let address = try Address(parsing: text)
        #expect(address == expected)
        #expect(Address("\(address)") == address, "what it prints as reads back")
    }

    /// The forms that the Internet knows them by (RFC 3492, section 7.1, and the names of existing hosts).
    @Test(arguments: [
        ("bücher.example:1", "xn--bcher-kva.example"),
        ("BÜCHER.example:1", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example:1", "xn--bcher-kva.example"),
        ("straße.example:1", "xn--strae-oqa.example"),
        ("例え。テスト:1", "xn--r8jz45g.xn--zckzah"),
        ("ｅxample.ｏrg:1", "example.org"),
        ("παράδειγμα.δοκιμή:1", "xn--hxajbheg2az3al.xn--jxalpdlp"),
        ("испытание:1", "xn--80akhbyknj4f"),
        ("他们为什么不说中文:1", "xn--ihqwcrb4cv8a8dqg056pqjye"),
        ("почемужеонинеговорятпорусски:1", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
        ("3年b組金八先生:1", "xn--3b-ww4c5e180e575a65lsy2b"),
        ("host\u{301}:1", "xn--host-yvc"),
        ("xn--bcher-kva.example:1", "xn--bcher-kva.example"),
    ])
    func takesInternationalNames(text: String, host: String) throws {
        let address = try Address(parsing: text)
        #expect(address == Address(host: host, port: 1))
        #expect(Address("\(address)") == address, "what it prints as reads back")
    }

    @Test func anInternationalNameIsNoLongerThanANameMayBe() throws {
        // The work grows with the square of the length: what cannot be a name is not encoded at all.
        let letters = String(String.UnicodeScalarView((0x4E00..<0x9000).compactMap { Unicode.Scalar($0) }))
        for name in [String(repeating: "ü", count: 254), letters] {
            let error = try #require(throws: TransportError.self) { try Address(parsing: name + ":1") }
            #expect("\(error)".contains("longer than 253 bytes"))
        }
    }

    @Test(arguments: ["[fe80::1]:9000", "udp://[fe80::1]:9000", "[febf:1::2]:1", "[FE80::]:1"])
    func aLinkLocalAddressNeedsItsInterface(text: String) throws {
        let error = try #require(throws: TransportError.self) { try Address(parsing: text) }
        #expect("\(error)".contains("append the interface, such as ["))
        #expect(throws: Never.self) { try Address(parsing: "[fec0::1]:1") }
    }

    @Test(arguments: [
        ("example.org", Address(host: "example.org", port: 7)),
        ("udp://example.org", Address(scheme: .udp, host: "example.org", port: 7)),
        ("[::1]", Address(host: "::1", port: 7)),
        ("example.org:8", Address(host: "example.org", port: 8)),
    ])
    func takesADefaultPort(text: String, expected: Address) throws {
        #expect(try Address(parsing: text, defaultPort: 7) == expected)
    }

    @Test(
        arguments: [
            ("udp://example.org:9000?turbo", nil, true),
            ("udp://example.org:9000?congestion=cubic", .cubic, false),
            ("udp://[::1]:9000?congestion=new-reno&turbo", .newReno, true),
            ("UDP://:9000?turbo&congestion=rate-based", .rateBased, true),
        ] as [(String, CongestionControl?, Bool)])
    func readsHowDatagramsAreSent(text: String, congestion: CongestionControl?, isTurbo: Bool) throws {
        let address = try Address(parsing: text)
        #expect(address.port == 9000 && address.options.congestion == congestion && address.options.isTurbo == isTurbo)
        #expect(Address("\(address)") == address, "what it prints as reads back")
        let options = UDPOptions().adjusted(to: address)
        #expect(options.congestion == congestion ?? .rateBased && options.isTurbo == isTurbo)
    }

    @Test func whatAnAddressDoesNotSayStays() throws {
        var options = UDPOptions()
        options.congestion = .cubic
        options.isTurbo = true
        #expect(options.adjusted(to: try Address(parsing: "udp://example.org:9000")) == options)
    }

    @Test(arguments: [
        "udp://host:1?", "udp://host:1?turbo?turbo", "udp://host:1?turbo&turbo", "udp://host:1?turbo&",
        "udp://host:1?turbo=", "udp://host:1?turbo=1", "udp://host:1?Turbo", "udp://host:1?congestion",
        "udp://host:1?congestion=", "udp://host:1?congestion=bbr", "udp://host:1?congestion=cubic=1",
        "udp://host:1?congestion=cubic&congestion=cubic", "udp://host:1?mtu=9000", "udp://host?turbo:1", "udp://?turbo",
        "host:1?turbo", "tcp://host:1?turbo",
    ])
    func refusesOtherOptions(text: String) throws {
        let error = try #require(throws: TransportError.self) { try Address(parsing: text) }
        guard case .invalidAddress(text, _) = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test(arguments: [
        "", " ", ":", "tcp://", "://host:1", "http://host:1", "tcp:/host:1", "tcp://udp://host:1",
        "host", "[::1]", "host:", "[::1]:", "host:-1", "host:+1", "host:65536", "host:99999999999999999999", "65536",
        "host:1a", "host: 1", "host:1 ", " host:1", "host:٣", "٣", "host:1/path", "host:1?x", "user@host:1",
        "::1", "::1:9000", "2001:db8::1:9000", "[::1", "[::1:9000", "::1]:9000", "[::1]9000", "[::1]x:1", "[]:1",
        "[host]:1", "[127.0.0.1]:1", "[::1%]:1", "[::1%a b]:1", "[::1%abcdefghijklmnop]:1", "[::g]:1", "[::1\0]:1",
        "[::1\0x]:1", "[[::1]]:1",
        "256.0.0.1:1", "1.2.3:1", "1.2.3.4.5:1", "host.1:1", "1.2.3.4.:1", "0177.0.0.1:1",
        ".:1", "..:1", ".host:1", "a..b:1", "ho st:1", "ho\0st:1", "ho\nst:1", "h%:1",
        "h%é:1", "é é:1", "\u{301}a:1", "a.\u{301}b:1", "-é:1", "é-:1", "ab--é:1", "é..b:1", "é_:1", "☃:1",
        "a\u{200D}é:1",
        "\u{202E}:1",
    ])
    func refuses(text: String) throws {
        let error = try #require(throws: TransportError.self) { try Address(parsing: text) }
        guard case .invalidAddress(text, let reason) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(!reason.isEmpty)
        #expect(Address(text) == nil)
    }

    @Test func aDefaultPortGoesBeforeOptions() throws {
        let address = try Address(parsing: "udp://example.org?turbo", defaultPort: 7)
        #expect(address.port == 7 && address.options.isTurbo)
    }

    @Test func refusesWhatIsTooLong() throws {
        #expect(throws: TransportError.self) { try Address(parsing: String(repeating: "a", count: 64) + ":1") }
        #expect(throws: Never.self) { try Address(parsing: String(repeating: "a", count: 63) + ":1") }
        let name = Array(repeating: String(repeating: "a", count: 49), count: 5).joined(separator: ".")
        #expect(throws: Never.self) { try Address(parsing: name + ".abc:1") }
        #expect(throws: TransportError.self) { try Address(parsing: name + ".abcde:1") }
        #expect(throws: TransportError.self) { try Address(parsing: String(repeating: "[", count: 100_000)) }
    }

    @Test func complaintsDoNotCommandTheTerminal() throws {
        for text in [
            "\u{1B}[2J:1", "[\u{1B}]0;x\u{7}]:1", "\u{202E}\u{9B}://x:1", String(repeating: "x", count: 9_999),
        ] {
            let error = try #require(throws: TransportError.self) { try Address(parsing: text) }
            let isPlain = error.description.unicodeScalars.allSatisfy {
                $0.properties.generalCategory != .control && $0.properties.generalCategory != .format
            }
            #expect(isPlain)
            #expect(error.description.count < 700)
        }
    }

    /// Whatever random text of telling characters parses, prints as something that reads back the same.
    @Test func randomTextsReadBackOrAreRefused() {
        var generator = SeededRandom(42)
        let alphabet = Array("a1:.[]/%-0tcpud ?&=")
        for _ in 0..<5_000 {
            let text = String(
                (0..<Int.random(in: 0...14, using: &generator)).map { _ in
                    alphabet.randomElement(using: &generator) ?? "a"
                })
            if let address = Address(text), Address(address.description) != address { Issue.record("\(text)") }
        }
    }
}

struct NetworkTests {
    @Test(
        arguments: [
            ("192.0.2.1", "192.0.2.255", true),
            ("192.0.2.1", "192.0.3.1", false),
            ("192.0.2.1", "::ffff:192.0.2.77", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.3.1", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("192.0.2.1", "2001:db8::1", false),
        ])
    func addressesShareANetwork(first: String, second: String, together: Bool) throws {
        let network = try #require(Network(of: first))
        #expect((network == Network(of: second)) == together)
    }

    @Test(arguments: ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1", "", "example.org", "1.2.3", "::1%lo"])
    func thisMachineAndNamesAreNone(address: String) {
        #expect(Network(of: address) == nil)
    }
}
