import KamuneCrypto

/// What the cipher suite's primitives cost on this machine, in microseconds of processor time. Everything else is
/// compared with these, measured in the same run.
struct PrimitiveCosts: Sendable {
    /// The sizes of what a message's envelope makes of it: what is signed, and what is sealed.
    struct MessageCosts: Sendable {
        var sign = 0.0
        var verify = 0.0
        var seal = 0.0
        var open = 0.0

        var sending: Double { sign + seal }
        var receiving: Double { verify + open }

        mutating func keepBest(of other: MessageCosts) {
            for cost in [\MessageCosts.sign, \.verify, \.seal, \.open] {
                self[keyPath: cost] = min(self[keyPath: cost], other[keyPath: cost])
            }
        }
    }

    /// A message of 64 bytes: a signature, and a seal of 512 bytes.
    var small = MessageCosts()
    /// A message of 60 KiB: a signature over it, and a seal of its bucket.
    var large = MessageCosts()
    var tunnelKey = 0.0
    var tunnelEncapsulation = 0.0
    var tunnelDecapsulation = 0.0
    var tunnelSeal = 0.0
    var tunnelOpen = 0.0
    var mlkemKey = 0.0
    var mlkemEncapsulation = 0.0
    var mlkemDecapsulation = 0.0
    var derivation = 0.0

    static let smallSealedSize = 512
    static let largeMessageSize = 61_435
    static let largeSealedSize = 65_495
    /// The label, the metadata and the headers that are signed along with a message.
    private static let signedOverhead = 90

    /// Keeps the smaller of each two costs.
    mutating func keepBest(of other: PrimitiveCosts) {
        small.keepBest(of: other.small)
        large.keepBest(of: other.large)
        for cost in [
            \PrimitiveCosts.tunnelKey, \.tunnelEncapsulation, \.tunnelDecapsulation, \.tunnelSeal, \.tunnelOpen,
            \.mlkemKey, \.mlkemEncapsulation, \.mlkemDecapsulation, \.derivation,
        ] {
            self[keyPath: cost] = min(self[keyPath: cost], other[keyPath: cost])
        }
    }

    /// Measures.
    ///
    /// - Parameter effort: A factor on the number of iterations; 1 takes about a second.
    static func measure(identity: Identity, effort: Double) throws -> PrimitiveCosts {
        func times(_ count: Int) -> Int { max(Int(Double(count) * effort), 3) }
        var random = SystemRandomSource()
        var costs = PrimitiveCosts()

        let key = SecretBytes.random(count: XChaCha20Poly1305.keySize, using: &random)
        let cipher = try XChaCha20Poly1305(key: key)
        func messageCosts(signed: Int, sealed: Int, iterations: Int) throws -> MessageCosts {
            let message = random.bytes(signed)
            let plaintext = random.bytes(sealed)
            let signature = try identity.sign(message)
            let frame = cipher.seal(plaintext, nonce: .random(using: &random))
            var costs = MessageCosts()
            costs.sign = try Sampling.microseconds(iterations: iterations) { consume(try identity.sign(message)) }
            costs.verify = Sampling.microseconds(iterations: iterations) {
                consume(identity.publicKey.isValidSignature(signature[...], for: message))
            }
            costs.seal = Sampling.microseconds(iterations: iterations) {
                consume(cipher.seal(plaintext, nonce: .random(using: &random)))
            }
            costs.open = try Sampling.microseconds(iterations: iterations) { consume(try cipher.open(frame)) }
            return costs
        }
        costs.small = try messageCosts(
            signed: 64 + signedOverhead, sealed: smallSealedSize, iterations: times(1_000))
        costs.large = try messageCosts(
            signed: largeMessageSize + signedOverhead, sealed: largeSealedSize, iterations: times(200))

        try costs.measureKeyExchange(iterations: times(200), random: &random)
        return costs
    }

    private mutating func measureKeyExchange(iterations: Int, random: inout SystemRandomSource) throws {
        var source = random
        let encapsulator = SystemEncapsulator()
        let tunnel = try TunnelPrivateKey.generate(using: &source)
        let publicKey = tunnel.publicKey
        tunnelKey = try Sampling.microseconds(iterations: iterations) {
            consume(try TunnelPrivateKey.generate(using: &source).publicKey)
        }
        var sender = encapsulator
        tunnelEncapsulation = try Sampling.microseconds(iterations: iterations) {
            consume(try sender.encapsulateTunnel(to: publicKey).encapsulatedKey)
        }
        let encapsulation = try sender.encapsulateTunnel(to: publicKey)
        let encapsulatedKey = encapsulation.encapsulatedKey
        tunnelDecapsulation = try Sampling.microseconds(iterations: iterations) {
            _ = try TunnelOpener(encapsulatedKey: encapsulatedKey, privateKey: tunnel)
        }
        var sealer = encapsulation.sealer
        let plaintext = source.bytes(Self.smallSealedSize)
        tunnelSeal = try Sampling.microseconds(iterations: iterations) { consume(try sealer.seal(plaintext)) }
        tunnelOpen = try measureTunnelOpen(iterations: iterations, plaintext: plaintext, key: tunnel)

        let mlkem = try MLKEM768PrivateKey.generate(using: &source)
        let encapsulationKey = mlkem.publicKey
        mlkemKey = try Sampling.microseconds(iterations: iterations) {
            consume(try MLKEM768PrivateKey.generate(using: &source).publicKey)
        }
        mlkemEncapsulation = try Sampling.microseconds(iterations: iterations) {
            consume(try sender.encapsulateMLKEM768(to: encapsulationKey).ciphertext)
        }
        let ciphertext = try sender.encapsulateMLKEM768(to: encapsulationKey).ciphertext
        mlkemDecapsulation = try Sampling.microseconds(iterations: iterations) {
            _ = try mlkem.decapsulate(ciphertext)
        }
        let secret = SecretBytes.random(count: 32, using: &source)
        let salt = source.bytes(16)
        let info = source.bytes(60)
        derivation = Sampling.microseconds(iterations: iterations * 5) {
            _ = HKDFSHA512.derive(secret: secret, salt: salt, info: info, count: 32)
        }
    }

    /// Each ciphertext can be opened once, so they are made beforehand.
    private func measureTunnelOpen(
        iterations: Int, plaintext: [UInt8], key: TunnelPrivateKey
    ) throws -> Double {
        var encapsulator = SystemEncapsulator()
        var best = Double.infinity
        for _ in 0..<5 {
            let encapsulation = try encapsulator.encapsulateTunnel(to: key.publicKey)
            var opener = try TunnelOpener(encapsulatedKey: encapsulation.encapsulatedKey, privateKey: key)
            var sealer = encapsulation.sealer
            var frames: [[UInt8]] = []
            for _ in 0..<iterations { frames.append(try sealer.seal(plaintext)) }
            let start = CPUClock.thread
            for frame in frames { consume(try opener.open(frame)) }
            best = min(best, Double(CPUClock.thread - start) / Double(iterations) / 1_000)
        }
        return best
    }

    /// What a cold handshake cannot do without, both sides together: two tunnel keys, encapsulations and decapsulations;
    /// one ML-KEM exchange; eight messages signed, sealed in the tunnel, opened and verified; four of them also under the
    /// session's keys; on each side two session keys, two challenges and the root for resumption.
    var coldHandshake: Double {
        2 * (tunnelKey + tunnelEncapsulation + tunnelDecapsulation)
            + mlkemKey + mlkemEncapsulation + mlkemDecapsulation
            + 8 * (small.sign + small.verify + tunnelSeal + tunnelOpen)
            + 4 * (small.seal + small.open)
            + 2 * 5 * derivation
    }
}
