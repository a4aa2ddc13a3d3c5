/// What a program may ask of the daemon: the 52 commands of the Go daemon (kamune-org/kamune, `cmd/daemon/main.go`), by the
/// names that they have on the line.
public enum DaemonCommand: String, Sendable, CaseIterable {
    // Storage.
    case openStorage = "open_storage"
    case submitPassphrase = "submit_passphrase"

    // Server.
    case startServer = "start_server"
    case stopServer = "stop_server"
    case restartServer = "restart_server"
    case cancelStartServer = "cancel_start_server"
    case getServerStatus = "get_server_status"
    case getStatus = "get_status"
    case getShareInfo = "get_share_info"

    // Sessions and messages.
    case dial = "dial"
    case sendMessage = "send_message"
    case listSessions = "list_sessions"
    case closeSession = "close_session"
    case renameSession = "rename_session"
    case getSessionInfo = "get_session_info"

    // Tokens.
    case generateRelayToken = "generate_relay_token"
    case removeRelayToken = "remove_relay_token"
    case listRelayTokens = "list_relay_tokens"
    case generateP2PToken = "generate_p2p_token"
    case removeP2PToken = "remove_p2p_token"
    case listP2PTokens = "list_p2p_tokens"

    // Verification.
    case verifyResponse = "verify_response"
    case setVerificationMode = "set_verification_mode"
    case getVerificationMode = "get_verification_mode"
    case getIncognito = "get_incognito"
    case setIncognito = "set_incognito"

    // History.
    case getHistorySessions = "get_history_sessions"
    case getHistoryMessages = "get_history_messages"
    case loadHistory = "load_history"
    case renameHistorySession = "rename_history_session"
    case deleteHistorySession = "delete_history_session"
    case refreshHistory = "refresh_history"

    // Peers.
    case listPeers = "list_peers"
    case addPeer = "add_peer"
    case renamePeer = "rename_peer"
    case getPeer = "get_peer"
    case deletePeer = "delete_peer"

    // Who we are.
    case getFingerprint = "get_fingerprint"
    case getFingerprintFormat = "get_fingerprint_format"
    case setFingerprintFormat = "set_fingerprint_format"
    case getMyName = "get_my_name"
    case setMyName = "set_my_name"
    case getVersion = "get_version"
    case getLibraryVersion = "get_library_version"

    // Logs.
    case getLogs = "get_logs"
    case clearLogs = "clear_logs"
    case exportLogs = "export_logs"
    case getLogLevel = "get_log_level"
    case setLogLevel = "set_log_level"

    // Keychain.
    case hasKeychainPassphrase = "has_keychain_passphrase"
    case clearKeychainPassphrase = "clear_keychain_passphrase"

    case shutdown = "shutdown"
}
