import KamuneBenchmark
import KamuneCrypto

/// The exchanges of keys, and what is derived from them.
enum KeyBenchmarks {
    static func run(_ report: inout BenchmarkReport) throws {
        var random = SystemRandomSource()
        var encapsulator = SystemEncapsulator()

        let tunnel = try TunnelPrivateKey.generate(using: &random)
        report.add(
            "X-Wing HPKE", "generate",
            try Sampling.microseconds(iterations: 100) {
                consume(try TunnelPrivateKey.generate(using: &random).publicKey)
            }, "µs")
        report.add(
            "X-Wing HPKE", "sender",
            try Sampling.microseconds(iterations: 100) {
                consume(try encapsulator.encapsulateTunnel(to: tunnel.publicKey).encapsulatedKey)
            }, "µs")
        let encapsulatedKey = try encapsulator.encapsulateTunnel(to: tunnel.publicKey).encapsulatedKey
        report.add(
            "X-Wing HPKE", "recipient",
            try Sampling.microseconds(iterations: 100) {
                _ = try TunnelOpener(encapsulatedKey: encapsulatedKey, privateKey: tunnel)
            }, "µs")

        let mlkem = try MLKEM768PrivateKey.generate(using: &random)
        report.add(
            "ML-KEM-768", "generate",
            try Sampling.microseconds(iterations: 100) {
                consume(try MLKEM768PrivateKey.generate(using: &random).publicKey)
            }, "µs")
        report.add(
            "ML-KEM-768", "encapsulate",
            try Sampling.microseconds(iterations: 100) {
                consume(try encapsulator.encapsulateMLKEM768(to: mlkem.publicKey).ciphertext)
            }, "µs")
        let ciphertext = try encapsulator.encapsulateMLKEM768(to: mlkem.publicKey).ciphertext
        report.add(
            "ML-KEM-768", "decapsulate",
            try Sampling.microseconds(iterations: 100) { _ = try mlkem.decapsulate(ciphertext) }, "µs")

        let secret = SecretBytes.random(count: 32, using: &random)
        let salt = random.bytes(32)
        let info = random.bytes(60)
        report.add(
            "HKDF-SHA512", "derive 32 bytes",
            Sampling.microseconds(iterations: 1_000) {
                _ = HKDFSHA512.derive(secret: secret, salt: salt, info: info, count: 32)
            }, "µs")
    }
}
