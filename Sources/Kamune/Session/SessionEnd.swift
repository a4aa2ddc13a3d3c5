/// How a session ended.
public enum SessionEnd: Sendable, Equatable {
    /// We closed it.
    case closedByUs
    /// The peer said goodbye.
    case closedByPeer
    /// The connection ended without a goodbye, the peer fell silent, or something was not as it must be. Messages sent
    /// shortly before may not have arrived.
    case failed(KamuneError)
}
