import KamuneCrypto
import KamuneTestKit
import Testing

@testable import KamuneProtocol

@Suite("Padding of version 0.7")
struct PaddingVectorTests {
    struct File: Decodable {
        struct Case: Decodable {
            let base: Int
            let bump: Int
            let pad: Int
            let total: Int
        }

        struct Short: Decodable {
            let target: Int
            let base: Int
            let total: Int
        }

        struct Exhaustive: Decodable {
            let sha256: HexBytes
        }

        let buckets: [Int]
        let bumpPercent: [Int]
        let cases: [Case]
        let shortOfTarget: [Short]
        let unreachableBases: [Int]
        let exhaustive: Exhaustive
    }

    let file: File

    init() throws {
        file = try Resources.load("padding")
    }

    private func total(base: Int, bump: Int) -> Int {
        let count = Padding.count(base: base, bump: bump)
        return base + (count == 0 ? 0 : WireWriter.fieldSize(contentSize: count))
    }

    @Test("the tables are the same")
    func tables() {
        #expect(file.buckets == ProtocolConstants.paddingBuckets)
        #expect(file.bumpPercent == ProtocolConstants.bumpPercentages)
    }

    @Test("every recorded size, the edges of the buckets and of the length's encoding among them")
    func cases() {
        #expect(file.cases.count == 512)
        for vector in file.cases {
            #expect(Padding.count(base: vector.base, bump: vector.bump) == vector.pad, "\(vector)")
            #expect(total(base: vector.base, bump: vector.bump) == vector.total, "\(vector)")
        }
        #expect(file.shortOfTarget.count == 20)
        for vector in file.shortOfTarget {
            let totals = (0...3).map { total(base: vector.base, bump: $0) }
            #expect(totals.contains(vector.total), "\(vector)")
        }
    }

    @Test("every size and raise that there is, by its digest")
    func exhaustive() {
        var totals: [UInt8] = []
        totals.reserveCapacity(65_496 * 16)
        for base in 0...65_495 {
            for bump in 0...3 {
                let total = file.unreachableBases.contains(base) ? 0 : total(base: base, bump: bump)
                withUnsafeBytes(of: UInt32(total).bigEndian) { totals.append(contentsOf: $0) }
            }
        }
        #expect(SHA256Digest.hash(totals) == file.exhaustive.sha256.bytes)
    }

    @Test("raises come as often as they should")
    func distribution() {
        var random = SeededRandom(7)
        var counts = [0, 0, 0, 0]
        let draws = 40_000
        for _ in 0..<draws { counts[Padding.randomBump(using: &random)] += 1 }
        for (count, percent) in zip(counts, ProtocolConstants.bumpPercentages) {
            let expected = Double(draws * percent) / 100
            #expect(abs(Double(count) - expected) < 6 * expected.squareRoot())
        }
    }
}
