import Kamune
import KamuneCrypto
import KamuneSystem

// Servers that wait at a relay, and the words under which they do.
extension Daemon {
    /// Runs the server that waits at a relay, until it is stopped.
    func serve(
        at parameters: EndpointParameters, _ token: DaemonRelayToken, _ listener: any DaemonServer, _ number: UInt64,
        _ id: String, _ name: String, _ task: Task<Void, Never>
    ) async {
        let desk = RelayDesk(address: parameters.relayAddress) { [weak self] in await self?.relayTokensChanged() }
        server = .running(number: number, desk, startedAt: time.date, task)
        _ = await desk.add(token, listener)
        tellStarted(
            id, parameters, name, at: "", "Server (relay) — connected to \(parameters.relayAddress)",
            before: {
                self.emit(.relayToken, .members(token.announcement))
                self.emit(.relayTokens, .members(["tokens": .list([token.value])]))
            })
        await accept(from: desk, transport: parameters.transport)
        tellStopped(number, parameters)
    }

    private func relayTokensChanged() async {
        guard let desk = relayDesk else { return }
        emit(.relayTokens, .members(["tokens": .list(await desk.tokens.map(\.value))]))
    }

    /// The running server, if it waits at a relay.
    private var relayDesk: RelayDesk? {
        guard case .running(_, let listener, _, _) = server else { return nil }
        return listener as? RelayDesk
    }

    // MARK: Commands

    func generateRelayToken(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let peer =
            parameters.isEmpty
            ? ""
            : try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("peer_pub_b64") }
        guard let desk = relayDesk, let storage, var serverParameters else {
            throw DaemonError(.relayNotConfigured, "relay is not configured — start a relay server first")
        }
        guard await desk.tokens.count < DaemonLimits.relayTokens else {
            throw DaemonError(.tooManyTokens, "\(DaemonLimits.relayTokens) tokens are in use already")
        }
        var mode = DaemonRelayToken.Mode.random
        serverParameters.token = ""
        if !peer.isEmpty {
            let key = try PeerKey.read(peer)
            if let token = RelayAddressText.token(between: storage.identity, key) {
                (mode, serverParameters.token) = (.fromKeys, token)
            }
        }
        let target = try RelayTarget(serverParameters).address
        // The relay may take its time, and other commands do not wait for it.
        let number = nextNumber()
        let made = mode
        dials[number] = Task { await self.wait(number, id, at: target, made, peer, desk, storage) }
    }

    private func wait(
        _ number: UInt64, _ id: String, at target: String, _ mode: DaemonRelayToken.Mode, _ peer: String,
        _ desk: RelayDesk, _ storage: any DaemonStorage
    ) async {
        let outcome: Result<any DaemonServer, DaemonError>
        do throws(DaemonError) {
            outcome = .success(try await storage.listen(on: target, terms(settings.ownName)))
        } catch {
            outcome = .failure(DaemonError(.relayListenFailed, error.message))
        }
        dials[number] = nil
        switch outcome {
        case .failure(let error): emit(.error, id: id, error.data)
        case .success(let listener):
            guard let token = DaemonRelayToken(of: listener.address, mode, peer: mode == .random ? "" : peer),
                relayDesk === desk, await desk.add(token, listener)
            else {
                await listener.close()
                let error = DaemonError(.serverStopped, "server stopped while generating token")
                return emit(.error, id: id, error.data)
            }
            await relayTokensChanged()
            respond(id, token.announcement)
        }
    }

    func removeRelayToken(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let token = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("token") }
        guard let desk = relayDesk, await desk.remove(token) else {
            throw DaemonError(.tokenNotFound, "token not found")
        }
        await relayTokensChanged()
        respond(id, ["status": "removed"])
    }

    func listRelayTokens(_ id: String) async {
        respond(id, ["tokens": .list(await relayDesk?.tokens.map(\.value) ?? [])])
    }

    /// What a friend needs: the Go daemon makes another word for it, since each of its words is good for one.
    func shareRelay(
        _ id: String, _ desk: RelayDesk, _ parameters: EndpointParameters, _ key: Fingerprint
    ) async throws(DaemonError) {
        guard let token = await desk.tokens.first?.token else {
            throw DaemonError(.tokenNotFound, "token not found")
        }
        let target = try RelayTarget(parameters)
        let hasKey = parameters.password?.bytes.count ?? 0 > 0
        var url = "relay://\(target.host)?token=\(token)&scheme=\(target.scheme)"
        if hasKey { url += "&password=1" }
        respond(
            id,
            [
                "address": .text(""), "fingerprint_emoji": .text(key.emoji.joined(separator: Self.emojiSeparator)),
                "fingerprint_hex": .text(key.hex), "port": .text(""),
                "relay_info": .members([
                    "address": .text(target.host), "scheme": .text(target.scheme), "token": .text(token),
                    "password": .flag(hasKey),
                ]), "transport": .text(parameters.transport), "url": .text(url),
            ])
    }
}
