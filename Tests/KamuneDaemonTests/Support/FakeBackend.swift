import Foundation
import KamuneCrypto
import KamuneDaemon
import KamuneSystem
import KamuneTestKit
import Synchronization

/// A backend that does nothing but what a test says.
final class FakeBackend: DaemonBackend {
    let storage: FakeStorage
    let opened = Mutex<[(path: String, passphrase: String?)]>([])
    /// What opening comes to, when not to a store.
    let refusal = Mutex<DaemonError?>(nil)

    init(_ storage: FakeStorage) { self.storage = storage }

    func open(path: String, passphrase: JSONSecret?) async throws(DaemonError) -> any DaemonStorage {
        let text = passphrase.map { $0.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
        opened.withLock { $0.append((path, text)) }
        if let refusal = refusal.withLock({ $0 }) { throw refusal }
        return storage
    }
}

/// A store in memory, and a network that the test is.
final class FakeStorage: DaemonStorage {
    let identity: PublicIdentity
    let state = Mutex(State())
    /// Dials wait here until the test answers.
    let dials = Exchange<(address: String, terms: DaemonTerms), Result<FakeSession, DaemonError>>()
    /// And so do servers that are started.
    let listens = Exchange<(address: String, terms: DaemonTerms), Result<FakeServer, DaemonError>>()

    struct State {
        var settings: [String: String] = [:]
        var peers: [DaemonPeer] = []
        var sessions: [DaemonHistorySession] = []
        var messages: [String: [DaemonMessage]] = [:]
        var isClosed = false
    }

    init() throws { identity = try Identity.generate(.ed25519).publicKey }

    func close() async { state.withLock { $0.isClosed = true } }
    func setting(_ name: String) async throws(DaemonError) -> String? { state.withLock { $0.settings[name] } }
    func setSetting(_ name: String, to value: String) async throws(DaemonError) {
        state.withLock { $0.settings[name] = value }
    }

    func listen(on address: String, _ terms: DaemonTerms) async throws(DaemonError) -> any DaemonServer {
        try await listens.ask((address, terms)).get()
    }

    func dial(_ address: String, _ terms: DaemonTerms) async throws(DaemonError) -> any DaemonSession {
        try await dials.ask((address, terms)).get()
    }

    func peers() async throws(DaemonError) -> [DaemonPeer] { state.withLock { $0.peers } }
    func peer(_ key: PublicIdentity) async throws(DaemonError) -> DaemonPeer? {
        state.withLock { $0.peers.first { $0.key == key } }
    }
    func addPeer(_ key: PublicIdentity, name: String) async throws(DaemonError) {
        let date = Date(timeIntervalSince1970: 1_000)
        let isNew = state.withLock { state in
            guard !state.peers.contains(where: { $0.key == key }) else { return false }
            state.peers.append(DaemonPeer(name: name, key: key, version: "", firstSeen: date, lastSeen: date))
            return true
        }
        if !isNew { throw DaemonError(.peerAlreadyExists, "peer already exists") }
    }
    func renamePeer(_ key: PublicIdentity, to name: String) async throws(DaemonError) {
        guard let peer = try await peer(key) else { throw DaemonError(.peerNotFound, "peer not found") }
        try await deletePeer(key)
        let renamed = DaemonPeer(
            name: name, key: key, version: peer.version, firstSeen: peer.firstSeen, lastSeen: peer.lastSeen)
        state.withLock { $0.peers.append(renamed) }
    }
    func deletePeer(_ key: PublicIdentity) async throws(DaemonError) {
        state.withLock { $0.peers.removeAll { $0.key == key } }
    }

    func historySessions() async throws(DaemonError) -> [DaemonHistorySession] { state.withLock { $0.sessions } }
    func historyMessages(
        _ id: String, size: Int
    ) async throws(DaemonError) -> (messages: [DaemonMessage], isWhole: Bool) {
        (state.withLock { $0.messages[id] ?? [] }, id != "cut")
    }
    func renameHistorySession(_ id: String, to name: String) async throws(DaemonError) {
        state.withLock { state in
            guard let index = state.sessions.firstIndex(where: { $0.id == id }) else { return }
            let old = state.sessions[index]
            state.sessions[index] = DaemonHistorySession(
                id: id, name: name, messageCount: old.messageCount, period: old.period)
        }
    }
    func deleteHistorySession(_ id: String) async throws(DaemonError) {
        state.withLock { $0.sessions.removeAll { $0.id == id } }
    }
}

/// A server that the test brings sessions to.
final class FakeServer: DaemonServer {
    let address: String
    let sessions = Line<FakeSession>()

    init(_ address: String) { self.address = address }

    func nextSession() async throws(DaemonError) -> (any DaemonSession)? { await sessions.next() }
    func close() async { sessions.finish() }
}

/// A session in which the test is the peer.
final class FakeSession: DaemonSession {
    let id: String
    let peerName: String
    let peerVersion: String
    let remoteAddress = "192.0.2.1:4000"
    let startedAt = Date(timeIntervalSince1970: 1_767_225_600)
    let messageCount: Int
    let events = Line<DaemonSessionEvent>()
    let sent = Mutex<[[UInt8]]>([])
    /// How many messages were sent at once, each time.
    let sendings = Mutex<[Int]>([])

    init(_ id: String, peer: String = "Bob", version: String = "0.7.0", messageCount: Int = 0) {
        self.id = id
        peerName = peer
        peerVersion = version
        self.messageCount = messageCount
    }

    func nextEvent() async -> DaemonSessionEvent? { await events.next() }
    func send(_ bodies: [[UInt8]]) async throws(DaemonError) -> [Date] {
        if bodies.contains(where: { $0.count > 100 }) { throw DaemonError(.sendMessageFailed, "too large") }
        sent.withLock { $0 += bodies }
        sendings.withLock { $0.append(bodies.count) }
        return bodies.map { _ in Date(timeIntervalSince1970: 1_767_225_601.5) }
    }
    func close() async {
        events.add(.ended(.closed))
        events.finish()
    }
}

/// What comes one after another, waited for by one.
final class Line<Element: Sendable>: Sendable {
    private let stream: AsyncStream<Element>
    private let continuation: AsyncStream<Element>.Continuation
    private let iterator: Iterator

    /// Unchecked because iterators change. It is right: there is one taker at a time.
    private final class Iterator: @unchecked Sendable {
        var iterator: AsyncStream<Element>.AsyncIterator
        init(_ stream: AsyncStream<Element>) { iterator = stream.makeAsyncIterator() }
    }

    init() {
        (stream, continuation) = AsyncStream.makeStream()
        iterator = Iterator(stream)
    }

    func add(_ element: Element) { continuation.yield(element) }
    func finish() { continuation.finish() }
    func next() async -> Element? { await iterator.iterator.next(isolation: nil) }
}

/// Questions that the test answers.
final class Exchange<Question: Sendable, Answer: Sendable>: Sendable {
    private let questions = Line<(Question, CheckedContinuation<Answer, Never>)>()

    func ask(_ question: Question) async -> Answer {
        await withCheckedContinuation { questions.add((question, $0)) }
    }

    /// Waits for the next question.
    func next() async -> (Question, CheckedContinuation<Answer, Never>)? { await questions.next() }
}
