/// Why a responder does not go on with a peer who has introduced itself, as it says so itself (§10.8).
///
/// It travels in the tunnel, which authenticates nobody: whoever is in between can say it too. So it changes what a person is
/// told, and perhaps when the next attempt comes, and nothing else.
public enum HandshakeRefusal: UInt8, Sendable, Hashable, CaseIterable {
    /// Something else, which may be one that a later version knows.
    case unspecified = 0
    /// A person or a rule has refused.
    case refused = 1
    /// There is no place for one more at the moment.
    case busy = 2
    /// Nobody is there who could say whether the peer is welcome.
    case away = 3
    /// The peer's request is noted, and waits for somebody to accept it.
    case waiting = 4

    /// What the plaintext begins with: no envelope does.
    static let label = Array("kamune/refusal/v1".utf8) + [0]

    /// The size of the plaintext, that of the smallest envelope (§4.5): what is said is not to be seen by its length.
    static let size = 512

    /// The plaintext for the tunnel.
    var encoded: [UInt8] {
        let said = Self.label + [rawValue]
        return said + [UInt8](repeating: 0, count: Self.size - said.count)
    }

    /// Reads a plaintext from the tunnel; nil when it is none of these.
    init?(decoding plaintext: [UInt8]) {
        guard plaintext.count == Self.size, plaintext.starts(with: Self.label) else { return nil }
        self = Self(rawValue: plaintext[Self.label.count]) ?? .unspecified
    }
}
