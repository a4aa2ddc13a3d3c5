import KamuneRelayProtocol
import Testing

@testable import KamuneTransport

/// Addresses of relays.
struct RelayAddressTests {
    private static let token = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    private static let pin = String(repeating: "ab", count: 32)

    @Test(
        "what is written is read again",
        arguments: [
            ("relay+tcp://example.org:9000#\(token)", "relay+tcp://example.org:9000#\(token)"),
            ("relay+tcp://example.org:9000", "relay+tcp://example.org:9000"),
            ("RELAY+TCP://[::1]:1#00FF", "relay+tcp://[::1]:1#00ff"),
            ("relay+tls://example.org", "relay+tls://example.org:443"),
            ("relay://example.org:9000?token=00ff&scheme=tcp&password=1", "relay+tcp://example.org:9000#00ff"),
            ("relay://example.org:9000?token=01", "relay+ws://example.org:9000#01"),
            ("relay+ws://example.org#01", "relay+ws://example.org:80#01"),
            ("relay+wss://example.org:8443?pin=\(pin.uppercased())#01", "relay+wss://example.org:8443?pin=\(pin)#01"),
            ("relay+tls://example.org:9?insecure", "relay+tls://example.org:9?insecure"),
            ("relay+tls://example.org:9?insecure=true#01", "relay+tls://example.org:9?insecure#01"),
            ("relay+tls://example.org:9?insecure=false#01", "relay+tls://example.org:9#01"),
        ])
    func roundTrip(text: String, canonical: String) throws {
        let address = try Address(parsing: text)
        #expect(address.description == canonical)
        #expect(try Address(parsing: canonical) == address)
        #expect(address.scheme.isRelay)
        #expect(!address.withoutToken.contains("#"))
    }

    @Test(
        "what is wrong is refused",
        arguments: [
            "relay+tcp://:9000", "relay+tcp://9000", "relay+tcp://example.org", "relay+tcp://example.org:9000#",
            "relay+tcp://example.org:9000#xyz", "relay+tcp://example.org:9000#012",
            "relay+tcp://example.org:9000?insecure#01", "relay+tcp://example.org:9000?pin=\(pin)",
            "relay+tls://example.org:9000?pin=abcd", "relay+tls://example.org:9000?pin=\(pin)&insecure",
            "relay+tls://example.org:9000?turbo", "relay+tls://example.org:9000/ws", "relay://example.org:9000",
            "relay://example.org:9000?scheme=tcp", "relay://example.org:9000?token=01&scheme=quic",
            "tcp://example.org:9000#01", "udp://example.org:9000#01", "example.org:9000#01",
            "relay+ws://example.org:9000/ws#01", "relay+tcp://example.org:9000#\(token)\(token)00",
        ])
    func refused(text: String) {
        #expect(throws: TransportError.self) { try Address(parsing: text) }
    }

    @Test("a key in front of the host is read, and never printed")
    func key() throws {
        let address = try Address(parsing: "relay+tcp://:correct%20horse@example.org:9000#01")
        #expect(address.relay.key == PreSharedKey(copying: Array("correct horse".utf8)))
        #expect(address.description == "relay+tcp://example.org:9000#01")
        let bytes = Array(UInt8.min...UInt8.max)
        let escaped = RelayOptions.escaped(key: bytes)
        #expect(
            try Address(parsing: "relay+ws://:\(escaped)@[::1]?insecure=false").relay.key
                == PreSharedKey(copying: bytes))
        for wrong in [
            "s3cret@", "user:s3cret@", ":@", ":s3cret%2@", ":s3cret%zz@",
            ":s3cret\(String(repeating: "k", count: 1_025))@",
        ] {
            do {
                _ = try Address(parsing: "relay+tcp://\(wrong)example.org:9000")
                Issue.record("\(wrong) was taken")
            } catch {
                #expect(!error.description.contains("s3cret"))
            }
        }
        #expect(throws: TransportError.self) { try Address(parsing: "tcp://:key@example.org:9000") }
    }

    @Test("to dial, a token is needed; to listen, none")
    func dialable() throws {
        #expect(throws: TransportError.self) { try Address(parsing: "relay+tcp://example.org:9000").checkDialable() }
        try Address(parsing: "relay+tcp://example.org:9000#01").checkDialable()
    }

    @Test("the web's usual port stays out of the host that a server is asked for")
    func authority() throws {
        #expect(try Address(parsing: "relay+wss://example.org").authority == "example.org")
        #expect(try Address(parsing: "relay+wss://example.org:80").authority == "example.org:80")
        #expect(try Address(parsing: "relay+ws://[::1]:80").authority == "[::1]")
        #expect(try Address(parsing: "relay+ws://[::1]:81").authority == "[::1]:81")
    }

    @Test("a listener tries again ever more seldom, and anew at once after it was of use")
    func waiting() {
        var waiting = RelayWaiting()
        #expect(waiting.lost(at: .seconds(0)) == .seconds(1))
        #expect(waiting.lost(at: .seconds(10)) == .seconds(12))
        #expect(waiting.lost(at: .seconds(20)) == .seconds(24))
        for _ in 0..<10 { _ = waiting.lost(at: .zero) }
        #expect(waiting.lost(at: .seconds(100)) == .seconds(160))
        #expect(waiting.registered(at: .seconds(200), lifetime: 0) == nil)
        // One that is dropped at once is no sign of health.
        #expect(waiting.lost(at: .seconds(201)) == .seconds(261))
        #expect(waiting.registered(at: .seconds(300), lifetime: 300) == .seconds(600))
        #expect(waiting.lost(at: .seconds(400)) == .seconds(401))
        waiting.used()
        #expect(waiting.lost(at: .seconds(500)) == .seconds(501))
        // The relay's longest lifetime is no time that overflows.
        #expect(waiting.registered(at: .seconds(0), lifetime: .max) == .seconds(4_294_967_295))
    }
}
