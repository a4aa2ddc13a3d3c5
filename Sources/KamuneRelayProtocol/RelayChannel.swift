public import KamuneCrypto

/// The sealed channel between a client and a relay: HPKE in both directions, with keys of this one connection. It hides
/// tokens and the key from who listens; it authenticates nobody.
public struct RelayChannel: ~Copyable, Sendable {
    private var sealer: TunnelSealer
    private var opener: TunnelOpener

    /// Puts both directions together: at the end of an exchange, or to replay a recording.
    public init(sealer: consuming TunnelSealer, opener: consuming TunnelOpener) {
        self.sealer = sealer
        self.opener = opener
    }

    /// Seals a frame. It must be sent, and in this order.
    ///
    /// - Throws: ``RelayProtocolError/messageTooLarge(size:)``, after which the channel is as before;
    ///   ``RelayProtocolError/cryptography``.
    public mutating func seal(_ frame: RelayFrame) throws(RelayProtocolError) -> [UInt8] {
        try seal(encoded: try frame.encoded())
    }

    /// Seals a frame's bytes, as ``RelayFrame/encoded()`` gives them or as they came from another channel.
    public mutating func seal(encoded plaintext: [UInt8]) throws(RelayProtocolError) -> [UInt8] {
        guard plaintext.count <= RelayLimits.maximumPlaintextSize else {
            throw .messageTooLarge(size: plaintext.count)
        }
        do {
            return try sealer.seal(plaintext)
        } catch {
            throw .cryptography
        }
    }

    /// Opens the next sealed frame.
    ///
    /// - Returns: its bytes, for ``RelayFrame/init(decoding:)``, which are no frame when the peer is broken: version 0.7
    ///   ignores that.
    /// - Throws: ``RelayProtocolError/undecryptable``: the connection cannot go on.
    public mutating func open(_ sealed: [UInt8]) throws(RelayProtocolError) -> [UInt8] {
        do {
            return try opener.open(sealed)
        } catch {
            throw .undecryptable
        }
    }
}
