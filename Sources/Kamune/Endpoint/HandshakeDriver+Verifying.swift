import KamuneProtocol
import KamuneTransport

extension HandshakeDriver {
    private enum VerificationEvent: Sendable {
        case verdict(Verdict)
        case frames([[UInt8]])
        case connectionEnded
        case cancelled
    }

    /// Asks the verifier; stops asking when the peer goes away.
    ///
    /// - Returns: the verdict, while the peer is there.
    func verify(_ peer: Peer, _ frames: inout FrameReader) async throws(KamuneError) -> Verdict {
        let verifier = verifier
        let connection = connection
        var early: [[UInt8]] = []
        var verdict: Verdict?
        var hasEnded = false
        await withTaskGroup(of: VerificationEvent.self) { group in
            group.addTask { .verdict(await verifier.verify(peer)) }
            group.addTask {
                do throws(TransportError) {
                    return try await connection.receive().map { .frames($0) } ?? .connectionEnded
                } catch {
                    return error == .cancelled ? .cancelled : .connectionEnded
                }
            }
            for await event in group {
                switch event {
                case .verdict(let decision):
                    verdict = decision
                    group.cancelAll()
                case .frames(let arrived):
                    // The peer speaks before it was answered. What it says is judged when its turn comes.
                    early += arrived
                case .connectionEnded:
                    hasEnded = true
                    group.cancelAll()
                case .cancelled:
                    break
                }
            }
        }
        frames.putBack(early)
        if Task.isCancelled { throw .cancellation }
        // Whoever was being asked when the connection ended was called off, and its answer is none.
        guard let verdict, !hasEnded else {
            throw KamuneError(.connectionLost, "The other side went away before it was accepted.")
        }
        return verdict
    }
}
