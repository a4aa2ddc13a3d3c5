import KamuneCrypto
import KamuneSystem

extension Daemon {
    // MARK: Starting

    func startServer(_ id: String, _ parameters: DaemonParameters) throws(DaemonError) {
        let parameters = try parameters.read(EndpointParameters.init)
        try startServer(id, parameters)
    }

    private func startServer(_ id: String, _ parameters: EndpointParameters) throws(DaemonError) {
        let way = try parameters.way()
        let target = try parameters.target(way)
        guard let storage else {
            throw DaemonError(.storageNotOpened, "storage not opened — call open_storage first")
        }
        switch server {
        case .none: break
        case .starting: throw DaemonError(.serverStartInProgress, "server start is already in progress")
        case .running: throw DaemonError(.serverAlreadyRunning, "server is already running")
        }
        serverParameters = parameters
        setStatus(.connecting, "Starting server...")
        let number = nextNumber()
        let task = Task { await self.serve(number, id, parameters, at: target, storage) }
        server = .starting(number: number, task)
    }

    /// Starts the server that has this number, and accepts until it is stopped.
    private func serve(
        _ number: UInt64, _ id: String, _ parameters: EndpointParameters, at target: String,
        _ storage: any DaemonStorage
    ) async {
        let name = await takeName(parameters.name)
        let listener: any DaemonServer
        do throws(DaemonError) {
            listener = try await storage.listen(on: target, terms(name))
        } catch let error where (try? parameters.way()) == .relay {
            guard server.number == number else { return }
            server = .none
            setStatus(.error, "Failed to connect to relay")
            log(.error, "Relay listen failed: \(error.message)")
            emit(.error, id: id, DaemonError(.relayListenFailed, "relay listen: \(error.message)").data)
            return
        } catch {
            guard server.number == number else { return }
            server = .none
            setStatus(.error, "Failed to create server")
            log(.error, "Failed to create server: \(error.message)")
            emit(.error, id: id, DaemonError(error.code, "create server: \(error.message)").data)
            return
        }
        guard case .starting(number, let task) = server, phase == .running else {
            await listener.close()
            return
        }
        if let token = DaemonRelayToken(of: listener.address) {
            await serve(at: parameters, token, listener, number, id, name, task)
            return
        }
        server = .running(number: number, listener, startedAt: time.date, task)
        tellStarted(id, parameters, name, at: listener.address, "Server running on \(listener.address)")
        await accept(from: listener, transport: parameters.transport.isEmpty ? "tcp" : parameters.transport)
        tellStopped(number, parameters)
    }

    /// Tells that the server runs.
    ///
    /// - Parameter address: Where it can be reached; none at a relay.
    func tellStarted(
        _ id: String, _ parameters: EndpointParameters, _ name: String, at address: String, _ sentence: String,
        before: () -> Void = {}
    ) {
        guard let storage else { return }
        let key = storage.identity.fingerprint
        identity = storage.identity
        emit(.fingerprintChanged, fingerprint)
        emit(.serverRunning, running(true, parameters))
        setStatus(.connected, sentence)
        log(.info, "Server started: \(sentence)")
        historyChanged()
        before()
        emit(
            .serverStarted, id: id,
            .members([
                "addr": .text(address), "emoji": .list(key.emoji.map(JSONValue.text)),
                "fingerprint_hex": .text(key.hex), "fingerprint_sum": .text(key.sum), "name": .text(name),
                "public_key": .text(key.base64), "transport": .text(parameters.transport),
            ]))
    }

    /// Tells that the server has ended.
    func tellStopped(_ number: UInt64, _ parameters: EndpointParameters) {
        // Whoever has stopped it has taken it out.
        if server.number == number { server = .none }
        emit(.serverRunning, running(false, parameters))
        setStatus(.disconnected, "Server stopped")
        log(.info, "Server stopped")
    }

    func accept(from listener: any DaemonServer, transport: String) async {
        do throws(DaemonError) {
            while let session = try await listener.nextSession() {
                guard phase == .running else {
                    await session.close()
                    continue
                }
                begin(session, id: "", isServer: true, transport: transport, remoteAddress: session.remoteAddress)
                await output.waitForRoom()
            }
        } catch {
            log(.error, "Server stopped: \(error.message)")
        }
        await listener.close()
    }

    func running(_ isRunning: Bool, _ parameters: EndpointParameters) -> JSONValue {
        .members(["running": .flag(isRunning), "transport": .text(parameters.transport)])
    }

    /// The name that peers are told: what the program says, or a pseudonym.
    func takeName(_ wanted: String) async -> String {
        let isIncognito = settings.isIncognito
        let pseudonym = identity?.fingerprint.pseudonym ?? ""
        let name = wanted.isEmpty || isIncognito ? pseudonym : wanted
        settings.ownName = name
        if !isIncognito { await keep(.ownName, name) }
        return name
    }

    func terms(_ name: String) -> DaemonTerms {
        DaemonTerms(name: name, isIncognito: settings.isIncognito) { [weak self] introduction in
            await self?.verify(introduction) ?? .refuse
        }
    }

    // MARK: Stopping

    func stopServer(_ id: String) async {
        await stopServer()
        respond(id, ["status": "stopped"])
    }

    private func stopServer() async {
        setStatus(.disconnected, "Stopping server...")
        log(.info, "Stopping server...")
        let former = server
        server = .none
        let live = Array(sessions.values)
        var tasks = live.compactMap(\.pump) + live.map { live in Task { await live.session.close() } }
        switch former {
        case .none: break
        case .starting(_, let task):
            task.cancel()
            tasks.append(task)
        case .running(_, let server, _, let task): tasks += [Task { await server.close() }, task]
        }
        await Gate.wait(for: tasks, atMost: DaemonLimits.closing, by: time)
        emit(.serverStopped, .members(["running": .flag(false)]))
    }

    func restartServer(_ id: String) async throws(DaemonError) {
        log(.info, "Restarting server to apply settings change")
        await stopServer(id)
        guard let serverParameters else {
            throw DaemonError(.invalidParams, "invalid params: no server was started before")
        }
        try startServer(id, serverParameters)
    }

    func cancelStartServer(_ id: String) throws(DaemonError) {
        guard case .starting(_, let task) = server else {
            throw DaemonError(.serverStartNotInProgress, "server start is not in progress")
        }
        server = .none
        task.cancel()
        setStatus(.disconnected, "Cancelled")
        log(.info, "Server start cancelled by user")
        emit(.serverStartCancelled, .members([:]))
        respond(id, ["status": "cancelled"])
    }

    // MARK: Telling

    func getServerStatus(_ id: String) {
        var startedAt = ""
        if case .running(_, _, let date, _) = server { startedAt = Instant(date).description }
        respond(
            id,
            [
                "addr": .text(serverParameters?.address ?? ""), "name": .text(serverParameters?.name ?? ""),
                "relay_addr": .text(serverParameters?.relayAddress ?? ""), "running": .flag(server.isRunning),
                "started_at": .text(startedAt), "transport": .text(serverParameters?.transport ?? ""),
            ])
    }

    func getStatus(_ id: String) {
        respond(id, ["message": .text(status.1), "status": .text(status.0.rawValue)])
    }

    func getShareInfo(_ id: String) async throws(DaemonError) {
        guard case .running(_, let listener, _, _) = server, let identity, let serverParameters else {
            throw DaemonError(.serverNotRunning, "server is not running")
        }
        if let desk = listener as? RelayDesk {
            return try await shareRelay(id, desk, serverParameters, identity.fingerprint)
        }
        var (host, port) = HostPort.split(listener.address)
        if HostPort.isEverywhere(host) {
            guard let address = LocalAddress.find() else {
                throw DaemonError(.detectIPFailed, "detect local IP: no non-loopback IPv4 address found")
            }
            host = address
        }
        let transport = serverParameters.transport
        let scheme = transport.isEmpty ? "tcp" : transport.lowercased()
        let key = identity.fingerprint
        respond(
            id,
            [
                "address": .text(host), "fingerprint_emoji": .text(key.emoji.joined(separator: Self.emojiSeparator)),
                "fingerprint_hex": .text(key.hex), "port": .text(port), "relay_info": .null,
                "transport": .text(transport), "url": .text("\(scheme)://\(HostPort.join(host, port))"),
            ])
    }

    // MARK: Tokens

    /// Hole punching's tokens, of which there are none.
    func followToken(_ command: DaemonCommand, _ id: String, _ parameters: DaemonParameters) throws(DaemonError) {
        switch command {
        case .generateP2PToken:
            let (broker, peer) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
                (try members.requiredText("broker_addr"), try members.text("peer_pub_b64"))
            }
            if !peer.isEmpty { _ = try PeerKey.read(peer) }
            guard !broker.isEmpty else { throw DaemonError(.invalidParams, "invalid params: broker_addr is empty") }
            throw DaemonError(.notAvailable, "Hole punching is not part of this version.")
        case .removeP2PToken:
            _ = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("token") }
            throw DaemonError(.p2pTokenRemoveFailed, "token not found")
        default: respond(id, ["tokens": .list([])])
        }
    }
}
