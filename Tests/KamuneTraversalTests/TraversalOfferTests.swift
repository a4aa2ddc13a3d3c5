import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import KamuneTraversal
import Testing

/// What is told of a side, and how its NAT is recognised.
struct TraversalOfferTests {
    private let local = IPEndpoint("192.168.1.2:5000")
    private let one = IPEndpoint("203.0.113.1:4788")
    private let two = IPEndpoint("203.0.113.1:4789")
    private let three = IPEndpoint("203.0.113.2:4788")

    @Test("What brokers see says what the NAT does")
    func mapping() {
        func seen(_ texts: (IPEndpoint, String)...) -> NATMapping {
            NATMapping(local: local, seen: texts.map { ($0.0, IPEndpoint($0.1)) })
        }
        #expect(NATMapping(local: local, seen: []) == .unknown)
        #expect(seen((one, "198.51.100.1:9")) == .unknown)
        #expect(seen((one, "192.168.1.2:5000")) == .none)
        #expect(seen((one, "192.168.1.2:5000"), (two, "192.168.1.2:5000")) == .none)
        #expect(seen((one, "198.51.100.1:9"), (two, "198.51.100.1:9")) == .independent)
        #expect(seen((one, "198.51.100.1:9"), (two, "198.51.100.1:10")) == .dependent(step: 1))
        #expect(seen((one, "198.51.100.1:9"), (one, "198.51.100.1:9"), (two, "198.51.100.1:7")) == .dependent(step: -2))
        #expect(
            seen((one, "198.51.100.1:9"), (two, "198.51.100.1:11"), (three, "198.51.100.1:13")) == .dependent(step: 2))
        #expect(
            seen((one, "198.51.100.1:9"), (two, "198.51.100.1:11"), (three, "198.51.100.1:14")) == .dependent(step: nil)
        )
        #expect(seen((one, "198.51.100.1:9"), (two, "198.51.100.1:9000")) == .dependent(step: nil))
        #expect(seen((one, "198.51.100.1:9"), (two, "198.51.100.2:10")) == .dependent(step: nil))
    }

    @Test("An offer is read as it was written")
    func encoding() {
        for mapping in [NATMapping.none, .independent, .dependent(step: nil), .dependent(step: -3), .unknown] {
            for lastSeen in [nil, one] {
                let offer = TraversalOffer(
                    candidates: [local, IPEndpoint("[2001:db8::1]:9"), one], mapping: mapping, lastSeen: lastSeen)
                #expect(TraversalOffer(parsing: offer.encoded) == offer)
                #expect(TraversalOffer(parsing: offer.encoded + [1, 2, 3]) == offer)
                for size in 0..<offer.encoded.count {
                    #expect(TraversalOffer(parsing: Array(offer.encoded.prefix(size))) == nil)
                }
            }
        }
        let full = TraversalOffer(
            candidates: (1...30).map { IPEndpoint("[2001:db8::\($0)]:9") }, mapping: .unknown,
            lastSeen: IPEndpoint("[2001:db8::ff]:9"))
        #expect(full.candidates.count == TraversalOffer.candidateLimit)
        #expect(full.encoded.count == TraversalOffer.largestSize)
    }

    @Test("What leads nowhere is no candidate")
    func nowhere() {
        let offer = TraversalOffer(
            candidates: ["0.0.0.0:1", "192.0.2.1:0", "224.0.0.1:5", "255.255.255.255:5"].map { IPEndpoint($0) } + [
                one, one,
            ],
            mapping: .unknown, lastSeen: nil)
        #expect(offer.candidates == [one])
        for text in ["0.0.0.0:1", "192.0.2.1:0", "224.0.0.1:5", "255.255.255.255:5"] {
            #expect(TraversalOffer(candidates: [], mapping: .unknown, lastSeen: IPEndpoint(text)).lastSeen == nil)
        }
    }

    @Test("Noise is read without harm")
    func noise() {
        var random = SeededRandom(1)
        for _ in 0..<20_000 {
            var bytes = random.bytes(Int(random.integer(below: 60)))
            if !bytes.isEmpty { bytes[0] = 1 }
            guard let offer = TraversalOffer(parsing: bytes) else { continue }
            #expect(offer.candidates.count <= TraversalOffer.candidateLimit)
            #expect(TraversalOffer(parsing: offer.encoded) == offer)
        }
    }
}
