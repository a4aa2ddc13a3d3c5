extension Daemon {
    /// The sessions that are kept.
    func historySessions() async throws(DaemonError) -> [DaemonHistorySession] {
        if let history { return history }
        guard let storage else { return [] }
        let sessions = try await storage.historySessions()
        history = sessions
        return sessions
    }

    /// Notes, and tells, that the sessions that are kept may be others now.
    func historyChanged() {
        history = nil
        emit(.historyUpdated, .members([:]))
    }

    func getHistorySessions(_ id: String) async throws(DaemonError) {
        let sessions = try await historySessions().map { session in
            JSONValue.members([
                "id": .text(session.id), "name": .text(session.name),
                "message_count": .integer(Int64(session.messageCount)), "first_message": .text(session.first),
                "last_message": .text(session.last), "loaded": .flag(loadedHistory.contains(session.id)),
            ])
        }
        respond(id, ["sessions": .list(sessions)])
    }

    func getHistoryMessages(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let session = try sessionID(parameters)
        guard loadedHistory.contains(session) else {
            throw DaemonError(.historyNotLoaded, "history session not loaded — call load_history first")
        }
        let (messages, isWhole) = try await openedStorage.historyMessages(session, size: DaemonLimits.historySize)
        let list = messages.map { message in
            JSONValue.members([
                "text": .text(String(decoding: message.bytes, as: UTF8.self)),
                "timestamp": .text(Instant(message.writtenAt).description), "is_local": .flag(message.isOurs),
            ])
        }
        if isWhole {
            respond(id, ["messages": .list(list)])
        } else {
            respond(id, ["messages": .list(list), "truncated": .flag(true)])
        }
    }

    func loadHistory(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let session = try sessionID(parameters)
        if try await historySessions().contains(where: { $0.id == session }) { loadedHistory.insert(session) }
        emit(.historyLoaded, .members(["session_id": .text(session)]))
        respond(id, ["status": "loaded"])
    }

    func renameHistorySession(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let (session, name) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            (try members.text("session_id"), try members.text("name"))
        }
        guard name.utf8.count <= DaemonLimits.nameSize else {
            throw DaemonError(.nameTooLong, "name must be \(DaemonLimits.nameSize) bytes or fewer")
        }
        try await openedStorage.renameHistorySession(session, to: name)
        historyChanged()
        log(.info, "Renamed history session: \(session)")
        respond(id, ["status": "ok"])
    }

    func deleteHistorySession(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let session = try sessionID(parameters)
        try await openedStorage.deleteHistorySession(session)
        loadedHistory.remove(session)
        historyChanged()
        log(.info, "Deleted history session: \(session)")
        respond(id, ["status": "deleted"])
    }

    func refreshHistory(_ id: String) {
        if storage != nil { historyChanged() }
        log(.info, "History refreshed")
        respond(id, ["status": "refreshed"])
    }

    private func sessionID(_ parameters: DaemonParameters) throws(DaemonError) -> String {
        try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("session_id") }
    }
}

extension DaemonHistorySession {
    /// When the first message was written, as it stands on the line.
    var first: String { period.map { Instant($0.lowerBound).description } ?? Instant.none }
    /// When the last message was written, as it stands on the line.
    var last: String { period.map { Instant($0.upperBound).description } ?? Instant.none }
}
