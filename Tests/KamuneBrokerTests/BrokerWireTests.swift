import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import Testing

/// The broker's datagrams against those recorded from 0.7.
struct BrokerWireTests {
    private let vectors = BrokerVectors.all

    @Test("The echo is answered as 0.7 does")
    func echoAnswers() {
        #expect(vectors.echoResponses.count == 5)
        for vector in vectors.echoResponses {
            #expect(BrokerEcho.answer(to: IPEndpoint(IPAddress(vector.ip), vector.port)) == vector.packet.bytes)
        }
    }

    @Test("The echo's answer is read as 0.7 does")
    func echoReading() {
        #expect(vectors.echoParse.count == 16)
        for vector in vectors.echoParse {
            let expected = vector.ok ? IPEndpoint(IPAddress(vector.ip ?? ""), vector.port ?? 0) : nil
            #expect(BrokerEcho.source(in: vector.packet.bytes) == expected, "\(vector.packet)")
        }
    }

    @Test("A registration is written and read as by 0.7")
    func registrations() throws {
        #expect(vectors.registers.count == 6)
        for vector in vectors.registers {
            let registration = BrokerRegistration(
                token: vector.token.bytes.isEmpty ? nil : vector.token.bytes, publicKey: vector.public.bytes,
                claimedAddress: IPAddress(vector.ip), claimedPort: vector.port)
            let datagram = BrokerRequest.register(registration).encoded(isPadded: false)
            #expect(datagram == vector.packet.bytes, "\(vector.name)")
            #expect(BrokerRequest(parsing: datagram) == .register(registration), "\(vector.name)")
        }
    }

    @Test("What we add to a registration stands behind what 0.7 reads")
    func additions() throws {
        let registration = BrokerRegistration(
            token: [1], publicKey: [2], claimedAddress: IPAddress("192.0.2.1"), claimedPort: 3, attempt: [4, 5])
        let plain = BrokerRequest.register(registration).encoded(isPadded: false)
        let padded = BrokerRequest.register(registration).encoded(isPadded: true)
        #expect(padded.count == BrokerWire.largestNoticeSize)
        #expect(padded.starts(with: plain))
        #expect(BrokerRequest(parsing: padded) == .register(registration))
        var older = registration
        older.attempt = nil
        #expect(plain.starts(with: BrokerRequest.register(older).encoded(isPadded: false)))
        #expect(BrokerRequest(parsing: Array(plain.prefix(BrokerWire.registrationSize))) == .register(older))
        // Half a try is none.
        #expect(BrokerRequest(parsing: plain.dropLast()) == .register(older))
        #expect(BrokerRequest(parsing: BrokerRequest.echo.encoded(isPadded: true)) == .echo)
    }

    @Test("A notice is sealed as by 0.7, and opened again")
    func notices() throws {
        #expect(vectors.notifySeal.count == 4)
        for vector in vectors.notifySeal {
            let notice: BrokerNotice =
                vector.type == 1
                ? .matched(
                    .init(
                        token: Array(vector.token.bytes.prefix(16)), publicKey: vector.otherPublic?.bytes ?? [],
                        endpoint: IPEndpoint(IPAddress(vector.ip ?? ""), vector.port ?? 0)))
                : .assigned(token: vector.token.bytes, lifetime: vector.ttl ?? 0)
            #expect(notice.plaintext == vector.plain.bytes, "\(vector.name)")
            let sealed = try notice.sealed(
                to: vector.peerPublic.bytes, by: X25519PrivateKey(seed: vector.brokerPrivate.secret),
                nonce: .init(vector.nonce.bytes))
            #expect(sealed == vector.packet.bytes, "\(vector.name)")
            let key = try X25519PrivateKey(seed: vector.peerPrivate.secret)
            #expect(try BrokerNotice(opening: sealed, with: key) == notice, "\(vector.name)")
        }
    }

    @Test("Damaged notices are refused as by 0.7")
    func damagedNotices() throws {
        let key = try X25519PrivateKey(seed: vectors.notifyOpen.peerPrivate.secret)
        #expect(vectors.notifyOpen.cases.count == 12)
        for vector in vectors.notifyOpen.cases {
            let notice = try? BrokerNotice(opening: vector.packet.bytes, with: key)
            #expect((notice != nil) == vector.ok, "\(vector.name)")
        }
    }

    @Test(
        "An introduction over IPv6 has the address behind what 0.7 reads, and is no larger than a padded registration")
    func ipv6() throws {
        let match = BrokerNotice.matched(
            .init(
                token: [UInt8](repeating: 7, count: 16), publicKey: [UInt8](repeating: 8, count: 32),
                endpoint: IPEndpoint("[2001:db8::9]:4242")))
        #expect(BrokerNotice(parsing: match.plaintext) == match)
        #expect(BrokerNotice(parsing: match.plaintext.dropLast()) == nil)
        var random = SeededRandom(1)
        let key = try X25519PrivateKey.generate(using: &random)
        let sealed = try match.sealed(to: key.publicKey, by: .generate(using: &random), nonce: .random(using: &random))
        #expect(sealed.count == BrokerWire.largestNoticeSize)
        #expect(try BrokerNotice(opening: sealed, with: key) == match)
    }

    @Test("Addresses have one form, and say what they are good for")
    func addresses() {
        #expect(IPAddress("::ffff:192.0.2.1") == IPAddress(192, 0, 2, 1))
        #expect("\(IPAddress("2001:DB8:0:0::1"))" == "2001:db8::1")
        #expect("\(IPEndpoint("[2001:db8::1]:5"))" == "[2001:db8::1]:5")
        #expect(IPAddress(bytes: [1, 2, 3]) == nil)
        for text in ["", "fe80::1%eth0", "1.2.3", "1.2.3.4.5", "01.2.3.4", "example.org", "1.2.3.4\0"] {
            #expect(IPAddress(parsing: text) == nil, "\(text)")
        }
        for text in ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1", "::1"]
        {
            #expect(IPAddress(text).isLocal, "\(text)")
        }
        for text in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
            #expect(!IPAddress(text).isLocal, "\(text)")
        }
        for text in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"] {
            #expect(!IPAddress(text).isUnicast, "\(text)")
        }
    }
}
