import Foundation
import KamuneCrypto
import KamuneSystem

extension Daemon {
    // MARK: Beginning

    func dial(_ id: String, _ parameters: DaemonParameters) throws(DaemonError) {
        let parameters = try parameters.read(EndpointParameters.init)
        let way = try parameters.way()
        let target = try parameters.target(way)
        guard way != .relay || !parameters.token.isEmpty else {
            throw DaemonError(.invalidParams, "invalid params: token is missing")
        }
        guard let storage else {
            throw DaemonError(.storageNotOpened, "storage not opened — call open_storage first")
        }
        guard sessions.count + dials.count < DaemonLimits.sessions else {
            throw DaemonError(.tooManySessions, "\(DaemonLimits.sessions) sessions and dials are under way already")
        }
        setStatus(.connecting, "Connecting to \(parameters.shownAddress)...")
        let number = nextNumber()
        dials[number] = Task { await self.dial(number, id, parameters, to: target, storage) }
    }

    private func dial(
        _ number: UInt64, _ id: String, _ parameters: EndpointParameters, to target: String,
        _ storage: any DaemonStorage
    ) async {
        let name = await takeName(parameters.name)
        let session: any DaemonSession
        do throws(DaemonError) {
            session = try await storage.dial(target, terms(name))
        } catch {
            dials[number] = nil
            setStatus(.error, "Connection failed")
            log(.error, "Dial failed: \(error.message)")
            emit(.error, id: id, DaemonError(error.code, "dial: \(error.message)").data)
            return
        }
        dials[number] = nil
        guard phase == .running else {
            await session.close()
            return
        }
        begin(
            session, id: id, isServer: false, transport: parameters.transport, remoteAddress: parameters.shownAddress)
        setStatus(.connected, "Connected to \(parameters.shownAddress)")
        log(.info, "Connected to \(parameters.shownAddress) (session: \(session.id))")
    }

    /// Tells of a session, and follows it.
    func begin(_ session: any DaemonSession, id: String, isServer: Bool, transport: String, remoteAddress: String) {
        if let live = sessions[session.id] {
            // Who is dialed again while they are there is there.
            emit(.sessionStarted, id: id, .object(live.info))
            return
        }
        if let warning = VersionWarning.text(own: environment.libraryVersion, peer: session.peerVersion) {
            log(.warning, warning)
            emit(.versionWarning, .members(["message": .text(warning), "session_id": .text(session.id)]))
        }
        var live = LiveSession(
            session: session, name: session.peerName, isServer: isServer, transport: transport,
            remoteAddress: remoteAddress, messageCount: session.messageCount, lastActivity: time.date)
        emit(.sessionStarted, id: id, .object(live.info))
        if isServer { log(.info, "New incoming connection: \(session.id)") }
        live.pump = Task { await self.pump(session) }
        sessions[session.id] = live
        history = nil
    }

    // MARK: Following

    private func pump(_ session: any DaemonSession) async {
        while let event = await session.nextEvent() {
            handle(event, in: session)
            await output.waitForRoom()
        }
        conclude(session)
    }

    private func handle(_ event: DaemonSessionEvent, in session: any DaemonSession) {
        let id = session.id
        switch event {
        case .message(let bytes, let writtenAt):
            sessions[id]?.messageCount += 1
            sessions[id]?.lastActivity = time.date
            history = nil
            emit(
                .messageReceived,
                .members([
                    "data_base64": .text(Base64Text.encode(bytes)), "session_id": .text(id),
                    "timestamp": .text(Instant(writtenAt).description),
                ]))
            updated(id)
            log(.debug, "Received message from \(id)")
        case .interrupted(let reason): log(.warning, "Connection lost: \(id): \(reason)")
        case .reconnecting(let attempt):
            let limit = DaemonLimits.reconnectionAttempts
            log(.info, "Reconnecting session \(id) (attempt \(attempt)/\(max(attempt, limit)))")
            emit(
                .sessionReconnecting,
                .members([
                    "attempt": .integer(Int64(attempt)), "max_attempts": .integer(Int64(max(attempt, limit))),
                    "session_id": .text(id),
                ]))
        case .reconnectionFailed(let reason): log(.warning, "Reconnect failed: \(reason)")
        case .reconnected:
            log(.info, "Reconnected session \(id)")
            emit(.sessionReconnected, .members(["session_id": .text(id)]))
        case .ended(.closed): log(.info, "Connection closed: \(id)")
        case .ended(.closedByPeer): log(.info, "Peer disconnected: \(id)")
        case .ended(.lost(let reason)): log(.error, "Receive error: \(reason)")
        }
    }

    private func conclude(_ session: any DaemonSession) {
        guard let live = sessions.removeValue(forKey: session.id) else { return }
        emit(.sessionClosed, .object(live.info))
        statusIfAlone()
        historyChanged()
        if live.isServer { log(.info, "All sessions disconnected") }
    }

    /// Says that there is nobody, if there is nobody.
    private func statusIfAlone() {
        if sessions.isEmpty, phase == .running { setStatus(.disconnected, "Not connected") }
    }

    private func updated(_ id: String) {
        emit(.sessionUpdated, .members(["session_id": .text(id)]))
    }

    /// A session that goes on.
    private func live(_ id: String) throws(DaemonError) -> LiveSession {
        guard let live = sessions[id] else {
            throw DaemonError(.sessionNotFound, "session not found: \(Quoted(id))")
        }
        return live
    }

    // MARK: Commands

    /// A message to a session that goes on.
    func outgoingMessage(_ id: String, _ parameters: DaemonParameters) throws(DaemonError) -> OutgoingMessage {
        let (sessionID, text) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            (try members.text("session_id"), try members.text("data_base64"))
        }
        _ = try live(sessionID)
        guard let body = Base64Text.decode(text, isStrict: true) else {
            throw DaemonError(.invalidBase64, "invalid base64 data")
        }
        return OutgoingMessage(id: id, session: sessionID, body: body)
    }

    /// Sends messages to one session, which came one after another, and are stored together.
    func send(_ messages: [OutgoingMessage]) async {
        guard let sessionID = messages.first?.session else { return }
        let times: [Date]
        do throws(DaemonError) {
            let live = try live(sessionID)
            do throws(DaemonError) {
                times = try await live.session.send(messages.map(\.body))
            } catch {
                throw DaemonError(error.code, "failed to send message: \(error.message)")
            }
        } catch {
            for message in messages { emit(.error, id: message.id, error.data) }
            return
        }
        sessions[sessionID]?.messageCount += messages.count
        sessions[sessionID]?.lastActivity = time.date
        history = nil
        for (message, writtenAt) in zip(messages, times) {
            emit(
                .messageSent, id: message.id,
                .members(["session_id": .text(sessionID), "timestamp": .text(Instant(writtenAt).description)]))
            updated(sessionID)
            log(.debug, "Sent message to \(sessionID)")
        }
    }

    func listSessions(_ id: String) {
        let live = sessions.values.sorted {
            ($0.session.startedAt, $0.session.id) < ($1.session.startedAt, $1.session.id)
        }
        respond(id, ["sessions": .list(live.map { .object($0.info) })])
    }

    func closeSession(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let sessionID = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            try members.text("session_id")
        }
        let live = try live(sessionID)
        // Out at once, so that nothing is sent in it any more.
        sessions[sessionID] = nil
        let closing = Task { await live.session.close() }
        await Gate.wait(for: [closing] + (live.pump.map { [$0] } ?? []), atMost: DaemonLimits.closing, by: time)
        statusIfAlone()
        historyChanged()
        emit(.sessionClosed, .object(live.info))
        respond(id, ["session_id": .text(sessionID), "status": "closed"])
        statusIfAlone()
    }

    func renameSession(_ id: String, _ parameters: DaemonParameters) throws(DaemonError) {
        let (sessionID, name) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            (try members.text("session_id"), try members.text("name"))
        }
        _ = try live(sessionID)
        guard name.utf8.count <= DaemonLimits.nameSize else {
            throw DaemonError(.nameTooLong, "name must be \(DaemonLimits.nameSize) bytes or fewer")
        }
        sessions[sessionID]?.name = name
        updated(sessionID)
        respond(id, ["status": "ok"])
    }

    func getSessionInfo(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let sessionID = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            try members.text("session_id")
        }
        if let live = sessions[sessionID] {
            let started = Instant(live.session.startedAt).description
            respond(
                id,
                [
                    "cause": .text(live.isServer ? "incoming" : "dial"), "is_server": .flag(live.isServer),
                    "last_activity": .text(Instant(live.lastActivity).description),
                    "msg_count": .integer(Int64(live.messageCount)), "peer_name": .text(live.name),
                    "remote_addr": .text(live.remoteAddress), "remote_version": .text(live.session.peerVersion),
                    "session_id": .text(sessionID), "session_ttl_ns": .integer(0), "started_at": .text(started),
                    "transport_type": .text(live.transport), "type": "live",
                ])
            return
        }
        guard storage != nil, let kept = try await historySessions().first(where: { $0.id == sessionID }) else {
            throw DaemonError(.sessionNotFound, "session not found: \(Quoted(sessionID))")
        }
        respond(
            id,
            [
                "first_message": .text(kept.first), "last_message": .text(kept.last),
                "loaded": .flag(loadedHistory.contains(sessionID)), "msg_count": .integer(Int64(kept.messageCount)),
                "name": .text(kept.name), "session_id": .text(sessionID), "type": "history",
            ])
    }
}

/// What is said when the peer's version is not ours.
enum VersionWarning {
    static func text(own: String, peer: String) -> String? {
        guard let ours = numbers(own), let theirs = numbers(peer), ours.0 == theirs.0, ours.1 != theirs.1 else {
            return nil
        }
        return "Minor version mismatch (v\(Quoted(peer)) vs v\(own)): things may not work as expected"
    }

    private static func numbers(_ version: String) -> (Int, Int)? {
        let parts = version.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let major = Int(parts[0]), let minor = Int(parts[1]) else { return nil }
        return (major, minor)
    }
}
