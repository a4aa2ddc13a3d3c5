/// What a peer of a relay's connection did that it must not do. The connection ends.
public enum RelayProtocolError: Error, Equatable, Sendable {
    /// A frame of the key exchange is not one.
    case malformedExchange(reason: String)
    /// A frame was altered, repeated, or sealed for somebody else.
    case undecryptable
    /// The bytes within a sealed frame are not a frame of the relay protocol.
    case malformedFrame(reason: String)
    /// A message is larger than ``RelayLimits/maximumMessageSize``, in bytes.
    case messageTooLarge(size: Int)
    /// A frame came where another was due.
    case unexpectedFrame(String)
    /// A token is empty, or longer than any.
    case invalidToken(size: Int)
    /// The cryptographic library failed.
    case cryptography
}

extension RelayProtocolError: CustomStringConvertible {
    /// One sentence for a person.
    public var description: String {
        switch self {
        case .malformedExchange(let reason): "The key exchange with the relay is malformed: \(reason)."
        case .undecryptable: "A frame of the relay's connection is not authentic."
        case .malformedFrame(let reason): "A frame of the relay's connection is malformed: \(reason)."
        case .messageTooLarge(let size):
            "A message of \(size) bytes does not fit a relay's frame, which carries \(RelayLimits.maximumMessageSize)."
        case .unexpectedFrame(let name): "A relay's frame (\(name)) came where another was due."
        case .invalidToken(let size): "A relay's token cannot have \(size) bytes."
        case .cryptography: "The cryptographic library failed."
        }
    }
}
