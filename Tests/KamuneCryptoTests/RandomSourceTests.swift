import KamuneCrypto
import KamuneTestSupport
import Testing

@Suite("Random sources")
struct RandomSourceTests {
    @Test("the system's random bytes differ, at every size, and so do those of copies of a source")
    func randomness() {
        var source = SystemRandomSource()
        for count in [16, 32, 1_000, 2_000, 40_000] {
            let first = source.bytes(count)
            let second = source.bytes(count)
            #expect(first != second)
            #expect(first.count == count)
            // Each value is missing from 2,000 random bytes with a chance of about one in 2,500.
            if count >= 2_000 { #expect(Set(first).count > 240) }
        }
        var copy = source
        #expect(source.bytes(32) != copy.bytes(32))
    }

    @Test("every size around those of the pool is filled to its last byte, and not beyond")
    func sizes() {
        var source = SystemRandomSource()
        for count in [0, 1, 2, 31, 32, 33, 511, 512, 513, 1_023, 1_024, 1_025, 2_047, 2_048, 2_049, 65_535] {
            // A byte stays zero in each of eight draws with a chance of 2^-64.
            var seen = [UInt8](repeating: 0, count: count)
            for _ in 0..<8 {
                var buffer = [UInt8](repeating: 0, count: count + 2)
                buffer.withUnsafeMutableBytes { buffer in
                    source.fill(UnsafeMutableRawBufferPointer(rebasing: buffer[1..<(count + 1)]))
                }
                #expect(buffer[0] == 0 && buffer[count + 1] == 0)
                for index in 0..<count { seen[index] |= buffer[index + 1] }
            }
            #expect(seen.allSatisfy { $0 != 0 }, "\(count) bytes")
        }
    }

    @Test("no bytes are handed out twice, across many refills of the pool and two copies")
    func repetition() {
        var first = SystemRandomSource()
        _ = first.bytes(8)
        var second = first
        var seen: Set<[UInt8]> = []
        for count in 0..<2_000 {
            seen.insert(first.bytes(16))
            seen.insert(second.bytes(16))
            #expect(seen.count == 2 * (count + 1))
        }
    }

    @Test("copies of a source used at the same time share nothing")
    func concurrentCopies() async {
        var original = SystemRandomSource()
        _ = original.bytes(8)
        let shared = original
        let draws = await withTaskGroup(of: [[UInt8]].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var copy = shared
                    return (0..<40_000).map { _ in copy.bytes(16) }
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(draws.count == 160_000)
        #expect(Set(draws).count == draws.count)
    }

    /// Hands out given bytes, then zeros.
    private struct Script: RandomSource {
        var bytes: ArraySlice<UInt8>

        mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
            for index in buffer.indices { buffer[index] = bytes.popFirst() ?? 0 }
        }
    }

    @Test("integers are little-endian, and arrays keep what they had")
    func integers() {
        var script = Script(bytes: [1, 2, 3, 4, 5, 6, 0xff])
        #expect(script.integer(UInt32.self) == 0x0403_0201)
        #expect(script.integer(UInt16.self) == 0x0605)
        var output: [UInt8] = [9]
        script.append(2, to: &output)
        script.append(0, to: &output)
        script.append(-1, to: &output)
        #expect(output == [9, 0xff, 0])
    }

    @Test("bounded integers: the edges, and the draw that must be rejected to be fair")
    func bounded() {
        var script = Script(bytes: [])
        #expect(script.integer(below: 0) == 0)
        #expect(script.integer(below: 1) == 0)
        // 2^32 = 3 · 1431655765 + 1, so of all draws exactly one, zero, is one too many.
        script = Script(bytes: [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
        #expect(script.integer(below: 3) == 2)
        script = Script(bytes: [1, 0, 0, 0])
        #expect(script.integer(below: 3) == 0)
        script = Script(bytes: [0xff, 0xff, 0xff, 0xff])
        #expect(script.integer(below: .max) == UInt32.max - 1)

        var random = SeededRandom(12)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<7_000 { counts[Int(random.integer(below: 7))] += 1 }
        // Five standard deviations; the seed is fixed, so the outcome is too.
        #expect(counts.allSatisfy { (850...1_150).contains($0) })
    }
}
