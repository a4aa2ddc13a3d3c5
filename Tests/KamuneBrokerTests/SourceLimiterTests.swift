import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import Testing

/// Who is answered how often.
struct SourceLimiterTests {
    private let limits = SourceLimiter.Limits(rate: 10, burst: 20, networkFactor: 8, sourceLimit: 100)

    private func allowed(_ limiter: inout SourceLimiter, _ address: String, times: Int, now: Duration) -> Int {
        (0..<times).count { _ in limiter.allows(IPAddress(address), now: now) }
    }

    @Test("One source has its burst, then its rate")
    func source() {
        var limiter = SourceLimiter(limits)
        #expect(allowed(&limiter, "192.0.2.1", times: 100, now: .zero) == 20)
        #expect(allowed(&limiter, "192.0.2.1", times: 100, now: .seconds(1)) == 10)
        #expect(allowed(&limiter, "192.0.2.1", times: 100, now: .seconds(100)) == 20)
        #expect(allowed(&limiter, "192.0.2.2", times: 100, now: .seconds(100)) == 20)
    }

    @Test("A network has eight times that, and who is refused takes nothing of it")
    func network() {
        var limiter = SourceLimiter(limits)
        #expect(allowed(&limiter, "192.0.2.1", times: 1000, now: .zero) == 20)
        let others = (2...20).map { allowed(&limiter, "192.0.2.\($0)", times: 20, now: .zero) }
        #expect(others.reduce(0, +) == 140)
        #expect(allowed(&limiter, "192.0.3.1", times: 20, now: .zero) == 20)
    }

    @Test("Of IPv6 a /64 is one source, and a /48 its network")
    func ipv6() {
        var limiter = SourceLimiter(limits)
        #expect(allowed(&limiter, "2001:db8:0:1::1", times: 20, now: .zero) == 20)
        #expect(allowed(&limiter, "2001:db8:0:1::2", times: 20, now: .zero) == 0)
        #expect(allowed(&limiter, "2001:db8:0:2::1", times: 20, now: .zero) == 20)
    }

    @Test("Its memory is bounded, and those for whom there is no room share what there is")
    func bounds() {
        var limiter = SourceLimiter(limits)
        var random = SeededRandom(1)
        var passed = 0
        for _ in 0..<10_000 {
            guard let address = IPAddress(bytes: random.bytes(4)) else { continue }
            if limiter.allows(address, now: .zero) { passed += 1 }
        }
        #expect(limiter.bucketCount <= 100)
        #expect(passed == 50 + 160)
        // Later the places are free again.
        let outcome1 = limiter.allows(IPAddress("192.0.2.1"), now: .seconds(10))
        #expect(outcome1)
        #expect(limiter.bucketCount == 2)
    }
}
