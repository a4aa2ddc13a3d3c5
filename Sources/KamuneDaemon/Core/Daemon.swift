import Foundation
import KamuneCrypto
package import KamuneSystem

/// The Go daemon's protocol (kamune-org/kamune, `docs/DAEMON.md`; where its code differs, the code): commands in, events out,
/// each a line of JSON. A program that was written for that daemon runs on this one.
///
/// Commands are followed one after another. What takes time, to start a server and to dial, goes on beside them.
public actor Daemon {
    let backend: any DaemonBackend
    let output: any DaemonOutput
    let environment: DaemonEnvironment
    let time: any TimeSource

    /// The version of the protocol that `ready` tells.
    static let protocolVersion = "1"

    enum Phase {
        case running
        case ending
        case ended
    }

    private(set) var phase = Phase.running
    private let end = Gate()

    var storage: (any DaemonStorage)?
    var storagePath = ""
    /// A store that waits for its passphrase.
    var pendingPath = ""

    var identity: PublicIdentity?
    var settings = DaemonSettings()
    var logs = LogBuffer()
    var status: (ConnectionStatus, String) = (.disconnected, "Not connected")
    /// The status when somebody's fingerprint began to be looked at.
    var statusBefore: (ConnectionStatus, String)?

    var server = ServerState.none
    /// How the server was started last.
    var serverParameters: EndpointParameters?
    var sessions: [String: LiveSession] = [:]
    var dials: [UInt64: Task<Void, Never>] = [:]
    var verifications: [Int64: PendingVerification] = [:]
    var lastVerification: Int64 = 0
    private var lastNumber: UInt64 = 0

    /// What answers requests beyond the protocol's, once there was one.
    var beyond: OpenVocabulary?

    /// The sessions that are kept; nil when that may have changed.
    var history: [DaemonHistorySession]?
    var loadedHistory: Set<String> = []

    /// A daemon that follows nothing yet.
    public init(backend: any DaemonBackend, output: any DaemonOutput, environment: DaemonEnvironment) {
        self.init(backend: backend, output: output, environment: environment, time: .system)
    }

    package init(
        backend: any DaemonBackend, output: any DaemonOutput, environment: DaemonEnvironment, time: any TimeSource
    ) {
        self.backend = backend
        self.output = output
        self.environment = environment
        self.time = time
    }

    // MARK: Lines

    /// Tells that commands are followed from now on.
    ///
    /// - Parameter processID: The process's number.
    public func start(processID: Int32) {
        emit(
            .ready,
            .members([
                "pid": .text(String(processID)), "protocol_version": .text(Self.protocolVersion),
                "version": .text(environment.version),
            ]))
    }

    /// Follows a line; returns when the next one may come.
    public func receive(_ line: [UInt8]) async {
        guard !line.isEmpty else { return }
        await receive([DaemonRequest(line: line)], of: [line])
    }

    /// Follows lines that have come together; returns when the next ones may come. Messages to one session that follow each
    /// other are stored together, since each time that something is stored the disk is waited for.
    public func receive(contentsOf lines: [[UInt8]]) async {
        let lines = lines.filter { !$0.isEmpty }
        await receive(lines.map { DaemonRequest(line: $0) }, of: lines)
    }

    private func receive(_ requests: [DaemonRequest], of lines: [[UInt8]]) async {
        var index = 0
        while index < requests.count, phase == .running {
            let messages = outgoingMessages(requests[index...])
            if messages.isEmpty {
                await receive(requests[index], of: lines[index])
                index += 1
            } else {
                await send(messages)
                index += messages.count
            }
            await output.waitForRoom()
        }
    }

    private func receive(_ request: DaemonRequest, of line: [UInt8]) async {
        switch request {
        case .command(let command, let id, let parameters):
            do throws(DaemonError) {
                try await follow(command, id, parameters)
            } catch {
                emit(.error, id: id, error.data)
            }
        case .beyond(let name, let id):
            do throws(DaemonError) {
                try await followBeyond(name, id, line)
            } catch {
                emit(.error, id: id, error.data)
            }
        case .other(let type, let id):
            emit(.error, id: id, DaemonError(.unknownMessageType, "unknown message type: \(Quoted(type))").data)
        case .invalid(let id, let error): emit(.error, id: id, error.data)
        }
    }

    /// The messages to one session with which requests begin.
    private func outgoingMessages(_ requests: ArraySlice<DaemonRequest>) -> [OutgoingMessage] {
        var messages: [OutgoingMessage] = []
        for request in requests.prefix(DaemonLimits.joinedMessages) {
            guard case .command(.sendMessage, let id, let parameters) = request,
                let message = try? outgoingMessage(id, parameters), message.joinsOthers,
                messages.first.map({ $0.session == message.session }) ?? true
            else { break }
            messages.append(message)
        }
        return messages
    }

    /// Tells that a line was too long to be followed.
    public func receiveTooLongLine() async {
        guard phase == .running else { return }
        let error = DaemonError(.lineTooLong, "a line is longer than \(DaemonLimits.lineSize) bytes")
        emit(.error, error.data)
        await output.waitForRoom()
    }

    private func follow(
        _ command: DaemonCommand, _ id: String, _ parameters: DaemonParameters
    ) async throws(DaemonError) {
        switch command {
        case .openStorage: try await openStorage(id, parameters)
        case .submitPassphrase: try await submitPassphrase(id, parameters)
        case .startServer: try startServer(id, parameters)
        case .stopServer: await stopServer(id)
        case .restartServer: try await restartServer(id)
        case .cancelStartServer: try cancelStartServer(id)
        case .getServerStatus: getServerStatus(id)
        case .getStatus: getStatus(id)
        case .getShareInfo: try await getShareInfo(id)
        case .dial: try dial(id, parameters)
        case .sendMessage: await send([try outgoingMessage(id, parameters)])
        case .listSessions: listSessions(id)
        case .closeSession: try await closeSession(id, parameters)
        case .renameSession: try renameSession(id, parameters)
        case .getSessionInfo: try await getSessionInfo(id, parameters)
        case .generateRelayToken: try await generateRelayToken(id, parameters)
        case .removeRelayToken: try await removeRelayToken(id, parameters)
        case .listRelayTokens: await listRelayTokens(id)
        case .generateP2PToken, .removeP2PToken, .listP2PTokens:
            try followToken(command, id, parameters)
        case .verifyResponse: try verifyResponse(id, parameters)
        case .setVerificationMode: try await setVerificationMode(id, parameters)
        case .getVerificationMode: respond(id, ["mode": .text(String(settings.mode.rawValue))])
        case .getIncognito: respond(id, ["enabled": .flag(settings.isIncognito)])
        case .setIncognito: try await setIncognito(id, parameters)
        case .getHistorySessions: try await getHistorySessions(id)
        case .getHistoryMessages: try await getHistoryMessages(id, parameters)
        case .loadHistory: try await loadHistory(id, parameters)
        case .renameHistorySession: try await renameHistorySession(id, parameters)
        case .deleteHistorySession: try await deleteHistorySession(id, parameters)
        case .refreshHistory: refreshHistory(id)
        case .listPeers: try await listPeers(id)
        case .addPeer: try await addPeer(id, parameters)
        case .renamePeer: try await renamePeer(id, parameters)
        case .getPeer: try await getPeer(id, parameters)
        case .deletePeer: try await deletePeer(id, parameters)
        case .getFingerprint: emit(.response, id: id, fingerprint)
        case .getFingerprintFormat: respond(id, ["format": .text(settings.fingerprintFormat)])
        case .setFingerprintFormat: try await setFingerprintFormat(id, parameters)
        case .getMyName: respond(id, ["name": .text(settings.ownName)])
        case .setMyName: try await setMyName(id, parameters)
        case .getVersion: respond(id, ["version": .text(environment.version)])
        case .getLibraryVersion: respond(id, ["version": .text(environment.libraryVersion)])
        case .getLogs: respond(id, ["entries": .list(logs.entries.map(\.data))])
        case .clearLogs:
            logs.clear()
            respond(id, ["status": "cleared"])
        case .exportLogs: try exportLogs(id, parameters)
        case .getLogLevel: respond(id, ["level": .text(settings.logLevel)])
        case .setLogLevel: try await setLogLevel(id, parameters)
        case .hasKeychainPassphrase: await hasKeychainPassphrase(id)
        case .clearKeychainPassphrase: try await clearKeychainPassphrase(id)
        case .shutdown: await shutDown()
        }
    }

    // MARK: Events

    func emit(_ event: DaemonEvent, id: String = "", _ data: JSONValue) {
        guard phase != .ended else { return }
        output.send(event.line(id: id, data))
    }

    func respond(_ id: String, _ members: KeyValuePairs<String, JSONValue>) {
        emit(.response, id: id, .members(members))
    }

    func log(_ level: LogBuffer.Level, _ message: String) {
        emit(.logEntry, logs.add(level, message, at: time.date).data)
    }

    func setStatus(_ status: ConnectionStatus, _ message: String) {
        self.status = (status, message)
        emit(.statusChanged, .members(["message": .text(message), "status": .text(status.rawValue)]))
    }

    func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    // MARK: The end

    /// Ends everything, tells so, and returns when it is done. Whoever calls it again waits for the same end.
    public func shutDown() async {
        guard phase == .running else {
            await end.wait()
            return
        }
        phase = .ending
        let former = server
        server = .none
        let live = Array(sessions.values)
        for number in Array(verifications.keys) { answer(number, .gone) }
        for dial in dials.values { dial.cancel() }
        await closeVocabulary()
        var tasks = Array(dials.values) + live.compactMap(\.pump)
        switch former {
        case .none: break
        case .starting(_, let task):
            task.cancel()
            tasks.append(task)
        case .running(_, let server, _, let task):
            tasks += [Task { await server.close() }, task]
        }
        tasks += live.map { live in Task { await live.session.close() } }
        await Gate.wait(for: tasks, atMost: DaemonLimits.closing, by: time)
        if let storage {
            let closing = Task { await storage.close() }
            await Gate.wait(for: [closing], atMost: DaemonLimits.closing, by: time)
        }
        storage = nil
        respond("", ["status": "shutdown"])
        phase = .ended
        end.open()
    }

    /// Waits for the end.
    public func waitUntilEnded() async { await end.wait() }

    /// Whether commands are followed.
    public var isRunning: Bool { phase == .running }
}

extension JSONValue: ExpressibleByStringLiteral {
    /// A text.
    public init(stringLiteral value: String) {
        self = .text(value)
    }
}
