/// Why a command came to nothing: the data of an `error` event.
public struct DaemonError: Error, Sendable, Equatable {
    /// The condition, by a name that programs may rely on.
    public let code: Code
    /// A sentence for a person. It carries no secret.
    public let message: String

    /// An error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The names of conditions: the Go daemon's, and ours for what it has no name for.
    public enum Code: String, Sendable, CaseIterable {
        // The line itself.
        case invalidJSON = "invalid_json"
        case unknownMessageType = "unknown_message_type"
        case unknownCommand = "unknown_command"
        case invalidParams = "invalid_params"
        /// Ours: a line is longer than ``DaemonLimits/lineSize``. The Go daemon ends at one.
        case lineTooLong = "line_too_long"
        /// Ours: the daemon is ending.
        case shuttingDown = "shutting_down"
        /// Ours: what is asked for needs a part that is not there yet.
        case notAvailable = "not_available"

        // Storage.
        case storagePathRequired = "storage_path_required"
        case storageBusy = "storage_busy"
        case storageOpenFailed = "storage_open_failed"
        case storageNotOpened = "storage_not_opened"
        case storageUnavailable = "storage_unavailable"

        // Server.
        case serverAlreadyRunning = "server_already_running"
        case serverStartInProgress = "server_start_in_progress"
        case serverStartNotInProgress = "server_start_not_in_progress"
        case serverNotRunning = "server_not_running"
        case createServerFailed = "create_server_failed"
        case unknownTransport = "unknown_transport"
        case detectIPFailed = "detect_ip_failed"

        // Sessions.
        case dialFailed = "dial_failed"
        case sessionNotFound = "session_not_found"
        case invalidBase64 = "invalid_base64"
        case sendMessageFailed = "send_message_failed"
        /// Ours: as many sessions and dials are under way as there may be.
        case tooManySessions = "too_many_sessions"

        // Tokens.
        case tokenNotFound = "token_not_found"
        case relayNotConfigured = "relay_not_configured"
        case relayListenFailed = "relay_listen_failed"
        case serverStopped = "server_stopped"
        /// Ours: the server waits under as many words as it may.
        case tooManyTokens = "too_many_tokens"
        case p2pTokenRemoveFailed = "p2p_token_remove_failed"

        // Verification.
        case verificationNotFound = "verification_not_found"
        case invalidVerificationMode = "invalid_verification_mode"

        // History.
        case historyNotLoaded = "history_not_loaded"
        case historyFetchFailed = "history_fetch_failed"
        case renameFailed = "rename_failed"
        case deleteFailed = "delete_failed"

        // Peers.
        case invalidPeerKey = "invalid_peer_key"
        case peerAlreadyExists = "peer_already_exists"
        case peerNotFound = "peer_not_found"
        case peerStoreFailed = "peer_store_failed"
        case peerListFailed = "peer_list_failed"
        case peerDeleteFailed = "peer_delete_failed"

        // Who we are, logs, keychain.
        case nameTooLong = "name_too_long"
        case namePersistFailed = "name_persist_failed"
        case exportFileFailed = "export_file_failed"
        case exportWriteFailed = "export_write_failed"
        case keychainClearFailed = "keychain_clear_failed"
    }

    /// The data of the event.
    var data: JSONValue { .members(["code": .text(code.rawValue), "error": .text(message)]) }
}
