public import KamuneCrypto

/// A client's half of the exchange that opens a channel: it has said its public key, and waits for the relay's answer.
public struct RelayExchangeInitiator: ~Copyable, Sendable {
    private let key: TunnelPrivateKey

    /// The first frame to send.
    public var hello: [UInt8] { key.publicKey }

    /// Begins.
    ///
    /// - Throws: ``RelayProtocolError/cryptography``, which does not happen.
    public init(using random: inout some RandomSource) throws(RelayProtocolError) {
        do {
            key = try TunnelPrivateKey.generate(using: &random)
        } catch {
            throw .cryptography
        }
    }

    /// Takes the relay's answer.
    ///
    /// - Returns: the channel, and the frame to send before anything that it seals.
    /// - Throws: ``RelayProtocolError/malformedExchange(reason:)``.
    public consuming func receivedAnswer(
        _ frame: [UInt8], using encapsulator: inout some Encapsulator
    ) throws(RelayProtocolError) -> OpenedRelayChannel {
        let answer = try RelayExchangeAnswer(decoding: frame)
        do {
            let opener = try TunnelOpener(encapsulatedKey: answer.encapsulatedKey, privateKey: key)
            let encapsulation = try encapsulator.encapsulateTunnel(to: answer.publicKey)
            let outgoing = encapsulation.encapsulatedKey
            return OpenedRelayChannel(
                channel: RelayChannel(sealer: encapsulation.takeSealer(), opener: opener), outgoing: outgoing)
        } catch {
            throw .malformedExchange(reason: "\(error)")
        }
    }
}

/// A relay's half of the exchange: it has answered a client's public key, and waits for what the client encapsulated.
public struct RelayExchangeResponder: ~Copyable, Sendable {
    private let key: TunnelPrivateKey
    private let sealer: TunnelSealer

    /// The frame to send.
    public let answer: [UInt8]

    /// Takes a client's first frame.
    ///
    /// - Throws: ``RelayProtocolError/malformedExchange(reason:)``.
    public init(
        hello: [UInt8], using random: inout some RandomSource, _ encapsulator: inout some Encapsulator
    ) throws(RelayProtocolError) {
        do {
            let encapsulation = try encapsulator.encapsulateTunnel(to: hello)
            key = try TunnelPrivateKey.generate(using: &random)
            answer = RelayExchangeAnswer(encapsulatedKey: encapsulation.encapsulatedKey, publicKey: key.publicKey)
                .encoded()
            sealer = encapsulation.takeSealer()
        } catch {
            throw .malformedExchange(reason: "\(error)")
        }
    }

    /// Takes what the client encapsulated. That it is the right thing shows only when the first frame opens.
    ///
    /// - Throws: ``RelayProtocolError/malformedExchange(reason:)``.
    public consuming func received(_ frame: [UInt8]) throws(RelayProtocolError) -> RelayChannel {
        do {
            return RelayChannel(sealer: sealer, opener: try TunnelOpener(encapsulatedKey: frame, privateKey: key))
        } catch {
            throw .malformedExchange(reason: "\(error)")
        }
    }
}

/// A channel just opened by a client.
public struct OpenedRelayChannel: ~Copyable, Sendable {
    /// The channel.
    public var channel: RelayChannel
    /// What to send before anything that the channel seals.
    public let outgoing: [UInt8]

    /// The channel alone.
    public consuming func takeChannel() -> RelayChannel { channel }
}

extension TunnelEncapsulation {
    consuming func takeSealer() -> TunnelSealer { sealer }
}

/// A relay's answer: the encapsulated key behind its length in two bytes, then its public key.
struct RelayExchangeAnswer {
    let encapsulatedKey: [UInt8]
    let publicKey: [UInt8]

    init(encapsulatedKey: [UInt8], publicKey: [UInt8]) {
        self.encapsulatedKey = encapsulatedKey
        self.publicKey = publicKey
    }

    init(decoding frame: [UInt8]) throws(RelayProtocolError) {
        guard frame.count >= 2 else {
            throw .malformedExchange(reason: "the relay's answer has \(frame.count) bytes")
        }
        let size = Int(frame[0]) << 8 | Int(frame[1])
        guard size <= frame.count - 2 else { throw .malformedExchange(reason: "the relay's answer is truncated") }
        encapsulatedKey = Array(frame[2..<2 + size])
        publicKey = Array(frame[(2 + size)...])
    }

    func encoded() -> [UInt8] {
        // An encapsulated key has 1,120 bytes, so its length always fits.
        [UInt8(truncatingIfNeeded: encapsulatedKey.count >> 8), UInt8(truncatingIfNeeded: encapsulatedKey.count)]
            + encapsulatedKey + publicKey
    }
}
