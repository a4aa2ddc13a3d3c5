import KamuneBenchmark
import KamuneCrypto

/// Signing and verifying with both algorithms, small and large.
enum SignatureBenchmarks {
    static func run(_ report: inout BenchmarkReport) throws {
        var random = SystemRandomSource()
        for algorithm in IdentityAlgorithm.allCases {
            let identity = try Identity.generate(algorithm)
            let peer = identity.publicKey
            for size in [64, 61_435] {
                let message = random.bytes(size)
                let group = "\(algorithm.rawValue), \(size) bytes"
                report.add(
                    group, "sign",
                    try Sampling.microseconds(iterations: 200) { consume(try identity.sign(message)) }, "µs")
                let signature = try identity.sign(message)
                report.add(
                    group, "verify",
                    Sampling.microseconds(iterations: 200) {
                        consume(peer.isValidSignature(signature, for: message))
                    }, "µs")
            }
            report.add(
                "\(algorithm.rawValue), keys", "generate",
                try Sampling.microseconds(iterations: 100) { consume(try Identity.generate(algorithm).publicKey) }, "µs"
            )
            report.add(
                "\(algorithm.rawValue), keys", "read a public key (SPKI)",
                try Sampling.microseconds(iterations: 1_000) { consume(try PublicIdentity(spki: peer.spki)) }, "µs")
            report.add(
                "\(algorithm.rawValue), keys", "fingerprint as emoji",
                Sampling.microseconds(iterations: 1_000) { consume(peer.fingerprint.emoji) }, "µs")
        }
    }
}
