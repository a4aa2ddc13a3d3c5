import KamuneNode

/// A message as a line of JSON: wherever one is printed for programs, this is what it looks like. It is the node's own
/// `MessageInfo`, which docs/schema has, and beside it whom the contact is, so that a script needs no list of them.
struct MessageLine: Encodable {
    private let message: MessageInfo
    private let peer: ContactInfo?

    init(_ message: MessageInfo, _ peers: PeerList) {
        self.message = message
        peer = peers.peers.first { $0.id == message.contact }
    }

    private enum CodingKeys: String, CodingKey {
        case peer, fingerprint
    }

    /// Writes the members of both.
    func encode(to encoder: any Encoder) throws {
        try message.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(peer?.name ?? "", forKey: .peer)
        try container.encodeIfPresent(peer?.fingerprint, forKey: .fingerprint)
    }

    /// The line, without its end.
    var text: String {
        // Nothing in a message is a number that is none, which is all that cannot be written.
        (try? JSONText.encoding(self)) ?? ""
    }
}
