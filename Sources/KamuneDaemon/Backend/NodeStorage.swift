import Foundation
import Kamune
import KamuneCrypto
import KamuneNode
import KamuneStore
import KamuneSystem

/// A store that a node has, and the person's place on the network through that node.
final class NodeStorage: DaemonStorage {
    /// How the node is come to.
    enum Access: Sendable {
        /// It is in this process, and served to others, where there can be a socket.
        case own(Node, LocalNode, NodeServer?)
        /// It is in this process, and somebody else's.
        case shared(Node, LocalNode)
        /// It is in another process.
        case remote(RemoteNode)

        var window: any NodeAccess {
            switch self {
            case .own(_, let window, _), .shared(_, let window): window
            case .remote(let window): window
            }
        }
    }

    let identity: PublicIdentity
    private let access: Access
    private let location: StoreLocation
    private let window: any NodeAccess
    private let exchange: NodeExchange
    private let traceless: TracelessNode?

    /// How many messages are asked for at once.
    private static let pageSize = 1_000

    private init(
        _ access: Access, at location: StoreLocation, _ identity: PublicIdentity, _ exchange: NodeExchange
    ) {
        self.access = access
        self.location = location
        self.identity = identity
        self.exchange = exchange
        window = access.window
        traceless =
            switch access {
            case .own(let node, _, _), .shared(let node, _): TracelessNode(beside: node)
            case .remote: nil
            }
    }

    /// The store of a node. The node is let go of when that fails.
    static func over(_ access: Access, at location: StoreLocation) async throws(NodeError) -> NodeStorage {
        do throws(NodeError) {
            let own = try await access.window.ask(GetSelf())
            let exchange = try await NodeExchange.begin(access.window)
            return NodeStorage(access, at: location, own.publicKey.key, exchange)
        } catch {
            await close(access)
            throw error
        }
    }

    func close() async {
        await exchange.end()
        await traceless?.close()
        await Self.close(access)
    }

    private static func close(_ access: Access) async {
        await access.window.close()
        guard case .own(let node, _, let server) = access else { return }
        await server?.close()
        await node.close()
    }

    func openVocabulary() async throws(DaemonError) -> (any DaemonVocabulary)? {
        switch access {
        case .own(let node, _, _): return NodeVocabularyWindow(await LocalNode.open(node))
        // A client of the socket asks the node there.
        case .shared: return nil
        case .remote:
            do throws(NodeError) {
                guard let remote = try await RemoteNode.connect(to: location) else { return nil }
                return NodeVocabularyWindow(remote)
            } catch {
                throw DaemonError(.storageUnavailable, error.message)
            }
        }
    }

    // MARK: Settings

    func setting(_ name: String) async throws(DaemonError) -> String? {
        try await ask(GetSetting(name), .storageUnavailable).value
    }

    func setSetting(_ name: String, to value: String) async throws(DaemonError) {
        _ = try await ask(SetSetting(name, to: value), .storageUnavailable)
    }

    private func ask<Request: NodeRequest>(
        _ request: Request, _ code: DaemonError.Code
    ) async throws(DaemonError) -> Request.Answer {
        do throws(NodeError) {
            return try await window.ask(request)
        } catch {
            throw DaemonError(code, error.message)
        }
    }

    // MARK: Network

    func listen(on address: String, _ terms: DaemonTerms) async throws(DaemonError) -> any DaemonServer {
        try await exchange(terms).listen(on: address, terms)
    }

    func dial(_ address: String, _ terms: DaemonTerms) async throws(DaemonError) -> any DaemonSession {
        try await exchange(terms).dial(address, terms)
    }

    private func exchange(_ terms: DaemonTerms) async throws(DaemonError) -> NodeExchange {
        guard terms.isIncognito else { return exchange }
        guard let traceless else {
            throw DaemonError(.notAvailable, "Incognito needs the storage in this process, and another one has it.")
        }
        do throws(NodeError) {
            return try await traceless.exchange()
        } catch {
            throw DaemonError(.storageUnavailable, error.message)
        }
    }

    // MARK: Peers

    func peers() async throws(DaemonError) -> [DaemonPeer] {
        try await ask(ListContacts(), .peerListFailed).contacts.filter { $0.accepted != nil }.map(DaemonPeer.init)
    }

    func peer(_ key: PublicIdentity) async throws(DaemonError) -> DaemonPeer? {
        try await contact(key, .peerListFailed).map(DaemonPeer.init)
    }

    private func contact(_ key: PublicIdentity, _ code: DaemonError.Code) async throws(DaemonError) -> ContactInfo? {
        try await ask(ListContacts(), code).contacts.first { $0.key == key && $0.accepted != nil }
    }

    func addPeer(_ key: PublicIdentity, name: String) async throws(DaemonError) {
        if let known = try await contact(key, .peerStoreFailed), !known.expired {
            throw DaemonError(.peerAlreadyExists, "peer already exists: \(key.fingerprint.base64)")
        }
        _ = try await ask(AddContact(name, key: KeyFingerprint(key)), .peerStoreFailed)
    }

    func renamePeer(_ key: PublicIdentity, to name: String) async throws(DaemonError) {
        guard let contact = try await contact(key, .peerStoreFailed) else {
            throw DaemonError(.peerNotFound, "peer not found: \(key.fingerprint.base64)")
        }
        _ = try await ask(RenameContact(contact.id, to: name), .peerStoreFailed)
    }

    func deletePeer(_ key: PublicIdentity) async throws(DaemonError) {
        guard let contact = try await contact(key, .peerDeleteFailed) else { return }
        // What was said stays, as it does there.
        _ = try await ask(DistrustContact(contact.id), .peerDeleteFailed)
    }

    // MARK: History

    func historySessions() async throws(DaemonError) -> [DaemonHistorySession] {
        let sessions = try await ask(ListSessions(counted: true), .historyFetchFailed).sessions
        return sessions.map(DaemonHistorySession.init).sorted { a, b in
            (a.period?.upperBound ?? .distantPast) > (b.period?.upperBound ?? .distantPast)
        }
    }

    func historyMessages(
        _ id: String, size: Int
    ) async throws(DaemonError) -> (messages: [DaemonMessage], isWhole: Bool) {
        let all = try await ask(ListSessions(), .historyFetchFailed).sessions
        let contact = all.last { $0.id == id }?.contact
        var messages: [DaemonMessage] = []
        var rest = size
        var before: Position?
        while true {
            let page = try await ask(
                GetMessages(with: contact, session: id, before: before, limit: Self.pageSize), .historyFetchFailed)
            for message in page.messages {
                rest -= message.body.count + 128
                guard rest >= 0 else { return (messages.reversed(), false) }
                messages.append(
                    DaemonMessage(
                        bytes: message.body, writtenAt: message.written, isOurs: message.direction == .outgoing))
            }
            guard let next = page.next else { return (messages.reversed(), true) }
            before = next
        }
    }

    func renameHistorySession(_ id: String, to name: String) async throws(DaemonError) {
        _ = try await ask(RenameSession(id, to: name.isEmpty ? nil : name), .renameFailed)
    }

    func deleteHistorySession(_ id: String) async throws(DaemonError) {
        do throws(NodeError) {
            _ = try await window.ask(DeleteSession(id))
        } catch {
            // What is not there is deleted.
            if error.code != .noSuchRecord { throw DaemonError(.deleteFailed, error.message) }
        }
    }
}

extension DaemonPeer {
    init(_ contact: ContactInfo) {
        self.init(
            name: contact.name, key: contact.key, version: contact.version, firstSeen: contact.firstSeen,
            lastSeen: contact.lastSeen)
    }
}

extension DaemonHistorySession {
    init(_ session: SessionInfo) {
        var period: ClosedRange<Date>?
        if let first = session.messages?.first, let last = session.messages?.last { period = first...max(first, last) }
        self.init(
            id: session.id, name: session.name ?? "", messageCount: session.messages?.count ?? 0, period: period)
    }
}

/// A node that keeps nothing, beside one that does: made when it is first needed.
private actor TracelessNode {
    private let node: Node
    private var made: (node: Node, window: LocalNode, exchange: NodeExchange)?
    private var isClosed = false

    init(beside node: Node) { self.node = node }

    func exchange() async throws(NodeError) -> NodeExchange {
        if let made { return made.exchange }
        let (store, identity): (Store, Identity)
        do throws(StoreError) {
            store = try await Store.inMemory(knowingPeersOf: node.store)
            identity = try await node.store.identity(name: "")
        } catch {
            throw NodeError(error)
        }
        var configuration = NodeConfiguration.ofDaemon
        configuration.leavesNoTrace = true
        configuration.conversations.acknowledgesWhenTaken = true
        configuration.identity = NodeConfiguration.OwnIdentity(identity)
        let beside = Node(store: store, configuration: configuration)
        let window = await LocalNode.open(beside)
        let exchange = try await NodeExchange.begin(window)
        // Another may have been made meanwhile, or all may be over.
        if let made {
            await beside.close()
            return made.exchange
        }
        guard !isClosed else {
            await beside.close()
            throw NodeError(.cancelled, "The storage was closed.")
        }
        made = (beside, window, exchange)
        return exchange
    }

    func close() async {
        isClosed = true
        guard let made else { return }
        await made.exchange.end()
        await made.window.close()
        await made.node.close()
        self.made = nil
    }
}
