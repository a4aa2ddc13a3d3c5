/// What the daemon tells: the 25 events of the Go daemon (kamune-org/kamune, `cmd/daemon/main.go`), by the names that they have
/// on the line.
public enum DaemonEvent: String, Sendable, CaseIterable {
    case ready = "ready"
    case serverStarted = "server_started"
    case serverStopped = "server_stopped"
    case serverRunning = "server_running"
    case serverStartCancelled = "server_start_cancelled"
    case sessionStarted = "session_started"
    case sessionClosed = "session_closed"
    case sessionUpdated = "session_updated"
    case messageReceived = "message_received"
    case messageSent = "message_sent"
    case statusChanged = "status_changed"
    case fingerprintChanged = "fingerprint_changed"
    case versionWarning = "version_warning"
    case relayToken = "relay_token"
    case relayTokens = "relay_tokens"
    case p2pTokens = "p2p_tokens"
    case verifyPeer = "verify_peer"
    case historyUpdated = "history_updated"
    case historyLoaded = "history_loaded"
    case localNameChanged = "local_name_changed"
    case error = "error"
    case response = "response"
    case logEntry = "log_entry"
    case sessionReconnecting = "session_reconnecting"
    case sessionReconnected = "session_reconnected"

    /// The line that tells of it, without its end. An identifier that is empty is left out.
    public func line(id: String, _ data: JSONValue) -> [UInt8] {
        var members = [
            JSONMember("data", data), JSONMember("type", .text(DaemonRequest.eventType)),
            JSONMember("evt", .text(rawValue)),
        ]
        if !id.isEmpty { members.append(JSONMember("id", .text(id))) }
        return JSONWriter.line(.object(members))
    }
}
