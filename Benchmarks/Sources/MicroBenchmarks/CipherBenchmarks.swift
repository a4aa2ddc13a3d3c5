import KamuneBenchmark
import KamuneCrypto

/// Sealing, opening, and the random bytes that padding takes, at the sizes that padding produces.
enum CipherBenchmarks {
    static let sizes = [256, 512, 1_024, 4_096, 16_384, 32_768, 65_000]

    static func run(_ report: inout BenchmarkReport) throws {
        var random = SystemRandomSource()
        let cipher = try XChaCha20Poly1305(key: .random(count: XChaCha20Poly1305.keySize, using: &random))
        for size in sizes {
            let plaintext = random.bytes(size)
            let iterations = max(100, 2_000_000 / (size + 2_000))
            let group = "\(size) bytes"
            report.add(
                group, "XChaCha20-Poly1305 seal",
                Sampling.microseconds(iterations: iterations) {
                    consume(cipher.seal(plaintext, nonce: .random(using: &random)))
                }, "µs")
            let frame = cipher.seal(plaintext, nonce: .random(using: &random))
            report.add(
                group, "XChaCha20-Poly1305 open",
                try Sampling.microseconds(iterations: iterations) { consume(try cipher.open(frame)) }, "µs")
            report.add(
                group, "random bytes",
                Sampling.microseconds(iterations: iterations) { consume(random.bytes(size)) }, "µs")
        }
    }
}
