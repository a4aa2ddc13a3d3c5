/// A server that waits at a relay under several words: for the daemon one server, whatever words come and go.
actor RelayDesk: DaemonServer {
    /// Where the relay is, without a word.
    nonisolated let address: String
    private var places: [String: Place] = [:]
    private var order: [String] = []
    private var waiting: CheckedContinuation<(any DaemonSession)?, Never>?
    /// Sessions that nobody has taken, of each word one at most: who brings one waits until it is taken.
    private var arrived: [(session: any DaemonSession, taken: CheckedContinuation<Void, Never>)] = []
    private var isClosed = false
    /// Told whenever the words, or what became of them, have changed.
    private let onChange: @Sendable () async -> Void

    private struct Place {
        var token: DaemonRelayToken
        let server: any DaemonServer
        let pump: Task<Void, Never>
    }

    init(address: String, onChange: @escaping @Sendable () async -> Void) {
        self.address = address
        self.onChange = onChange
    }

    /// The words, in the order in which they were made.
    var tokens: [DaemonRelayToken] { order.compactMap { places[$0]?.token } }

    /// Waits under another word.
    ///
    /// - Returns: Whether it does; not after the end.
    func add(_ token: DaemonRelayToken, _ server: any DaemonServer) async -> Bool {
        guard !isClosed, places[token.token] == nil else {
            await server.close()
            return false
        }
        let name = token.token
        let pump = Task { await self.pump(server, name) }
        places[name] = Place(token: token, server: server, pump: pump)
        order.append(name)
        return true
    }

    /// Waits under a word no more.
    ///
    /// - Returns: Whether there was one.
    func remove(_ token: String) async -> Bool {
        guard let place = places.removeValue(forKey: token) else { return false }
        order.removeAll { $0 == token }
        await place.server.close()
        return true
    }

    private func pump(_ server: any DaemonServer, _ token: String) async {
        while let session = try? await server.nextSession() {
            if places[token]?.token.isConsumed == false {
                places[token]?.token.isConsumed = true
                await onChange()
            }
            await hand(session)
        }
    }

    private func hand(_ session: any DaemonSession) async {
        if let waiting = waiting.take() { return waiting.resume(returning: session) }
        guard !isClosed else { return await session.close() }
        await withCheckedContinuation { arrived.append((session, $0)) }
    }

    func nextSession() async throws(DaemonError) -> (any DaemonSession)? {
        if !arrived.isEmpty {
            let (session, taken) = arrived.removeFirst()
            taken.resume()
            return session
        }
        if isClosed { return nil }
        return await withCheckedContinuation { waiting = $0 }
    }

    func close() async {
        guard !isClosed else { return }
        isClosed = true
        waiting.take()?.resume(returning: nil)
        let (left, servers) = (arrived, places.values.map(\.server))
        arrived = []
        places = [:]
        order = []
        for (session, taken) in left {
            taken.resume()
            await session.close()
        }
        for server in servers { await server.close() }
    }
}
