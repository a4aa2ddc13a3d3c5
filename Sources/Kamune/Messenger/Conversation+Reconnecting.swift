import KamuneCrypto

extension Conversation {
    /// Begins to get the connection back.
    func recover(from error: KamuneError) {
        guard reconnection.patience != nil || address != nil else { return }
        recovery = Task {
            if let address {
                await redial(address, after: error)
            } else if let patience = reconnection.patience {
                try? await Task.sleep(for: patience)
                if !Task.isCancelled { await conclude(.failed(error)) }
            }
        }
    }

    /// Dials until the peer answers, or there is no use in it.
    private func redial(_ address: String, after error: KamuneError) async {
        let start = ContinuousClock.now
        var random = SystemRandomSource()
        var last = error
        var attempt = 0
        var refusals = 0
        while !Task.isCancelled {
            attempt += 1
            let delay = reconnection.delay(before: attempt, using: &random)
            let isTooLate = reconnection.patience.map { ContinuousClock.now - start + delay > $0 } ?? false
            guard !isTooLate, attempt <= reconnection.maximumAttempts ?? .max else {
                await conclude(.failed(last))
                return
            }
            await emit(.reconnecting(attempt: attempt, delay: delay))
            guard (try? await Task.sleep(for: delay)) != nil else { return }
            do throws(KamuneError) {
                let session = try await endpoint.dial(address, expecting: peer.identity)
                if !attach(session) { await session.close() }
                return
            } catch {
                refusals = error.code == .refusedByPeer ? refusals + 1 : 0
                if !error.mayPassWhenDialing || refusals >= reconnection.maximumRefusals {
                    if !Task.isCancelled { await conclude(.failed(error)) }
                    return
                }
                last = error
            }
        }
    }
}
