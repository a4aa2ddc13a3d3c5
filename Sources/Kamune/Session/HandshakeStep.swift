/// One step of a handshake, for people and programs that want to see what happens and how long it takes.
public struct HandshakeStep: Sendable, Hashable {
    /// What was done.
    public let kind: Kind
    /// How long it took since the step before, the peer's and the network's part included.
    public let duration: Duration

    /// The steps, in the order in which they happen.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The X-Wing keys were exchanged; from here on everything travels in the HPKE tunnel.
        case tunnelEstablished
        /// The peer's introduction arrived, and its signature is right.
        case peerIntroduced
        /// Our verifier has accepted the peer.
        case peerAccepted
        /// The ML-KEM-768 handshake and both challenges are done.
        case established
    }
}
