extension ProtocolError {
    /// In what a peer does not keep to the protocol.
    public enum PeerMisbehavior: Equatable, Sendable {
        /// A message of the HPKE exchange has the wrong form.
        case malformedExchange(reason: String)
        /// The plaintext of a frame is not an envelope.
        case malformedEnvelope(reason: String)
        /// The message within an envelope cannot be decoded.
        case malformedMessage(Route)
        /// The peer's public key cannot be read.
        case malformedIdentity(reason: String)
        /// A field of a handshake message is out of bounds.
        case invalidHandshakeField(HandshakeField)
        /// A frame came where none may come.
        case unexpectedFrame
        /// A message with a route that is not legal in this phase.
        case unexpectedRoute(expected: Route, actual: Route?)
        /// A message of an established session bears a route that may not appear there.
        case forbiddenRoute(rawValue: Int32)
        /// The peer acknowledged what is not on its way to it.
        case invalidAcknowledgement
        /// The peer has more messages on their way than may be unacknowledged.
        case tooManyUnacknowledged
        /// A message came twice, or one is missing.
        case outOfSequence(expected: UInt64, actual: UInt64)
        /// The peer sent a message that is larger than this side takes.
        case oversizedMessage(size: Int, limit: Int)
    }

    /// A field of a handshake message.
    public enum HandshakeField: Equatable, Sendable {
        /// The salt has not 16 bytes.
        case salt
        /// The session key is not base32 of the right length.
        case sessionKey
        /// The ML-KEM-768 key or ciphertext is malformed.
        case key
    }
}

extension ProtocolError.PeerMisbehavior: CustomStringConvertible {
    /// One sentence for a person.
    public var description: String {
        switch self {
        case .malformedExchange(let reason):
            "The other side does not speak Kamune's key exchange (\(reason)). Check the address and port."
        case .malformedEnvelope(let reason):
            "The other side sent a message that is not well formed (\(reason))."
        case .malformedMessage(let route):
            "The other side sent a message of kind \(route) whose contents cannot be read."
        case .malformedIdentity(let reason):
            "The other side's public key cannot be read (\(reason))."
        case .invalidHandshakeField(let field):
            "The other side's handshake has an invalid \(field)."
        case .unexpectedFrame:
            "The other side spoke out of turn."
        case .unexpectedRoute(let expected, let actual):
            "The other side sent \(actual.map { "\($0)" } ?? "an unknown message") where \(expected) was due."
        case .forbiddenRoute(let raw):
            "The other side sent a message of kind \(raw), which has no place in a session."
        case .invalidAcknowledgement:
            "The other side acknowledged a message that it was not sent."
        case .tooManyUnacknowledged:
            "The other side does not wait for its messages to be acknowledged."
        case .outOfSequence(let expected, let actual):
            actual < expected
                ? "A message arrived twice (number \(actual), expected \(expected)): it was replayed. The session was closed."
                : "Messages are missing (number \(actual), expected \(expected)). The session was closed."
        case .oversizedMessage(let size, let limit):
            "The other side sent a message of \(size) bytes; this side takes at most \(limit)."
        }
    }
}
