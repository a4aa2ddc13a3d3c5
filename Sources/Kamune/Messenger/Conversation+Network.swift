import KamuneProtocol

extension Conversation {
    /// Looks for the peer now, if the connection is lost and the peer is to be dialed again, instead of when the next attempt
    /// was due.
    public func hurry() { post(.hurry) }

    /// How long a peer may take to answer before the connection is doubted, after the network has changed.
    private static let answerTime = Duration.seconds(3)

    /// This machine is on another network. Whoever was to be dialed again is dialed now; and if the connection stands, but the
    /// peer does not answer over it within three seconds, they are looked for beside it.
    public func networkChanged() {
        hurry()
        guard redialing != nil, let link = machine.link, let session else { return }
        let alarms = endpoint.configuration.alarms
        Task {
            let isThere = try? await withDeadline(
                Self.answerTime, by: alarms, expired: KamuneError(.timedOut, "The peer does not answer.")
            ) { () async throws(KamuneError) in
                _ = try await session.ping()
                return true
            }
            if isThere == nil, machine.link == link { post(.doubted(link, true)) }
        }
    }
}
