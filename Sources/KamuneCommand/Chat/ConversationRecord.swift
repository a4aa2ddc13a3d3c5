import Foundation
import Kamune
import KamuneStore

/// Where conversations are written down; nowhere, for those that leave no trace.
struct HistoryRecorder: Sendable {
    /// The store; nil to write nothing down.
    let store: Store?
    /// Under which of the store's identities we talk; nil for one from a file.
    let identity: IdentityID?
    /// Tells the person what could not be written down.
    let tell: @Sendable (String) async -> Void

    /// Begins to write a conversation down.
    ///
    /// - Parameter address: What was dialed or listened on, for the kind of connection.
    func begin(_ session: Session, over address: String) async -> ConversationRecord {
        guard let store else { return ConversationRecord(nil, tell) }
        do throws(StoreError) {
            let peer = try await StorePeerBook.note(session.peer, in: store, isAccepted: false)
            let stored = try await store.store(
                NewSession(
                    peer: peer.id, identifier: session.id, established: Date(), transport: AddressText.scheme(address),
                    isInitiator: session.isInitiator, identity: identity, capabilities: session.peer.capabilities))
            return ConversationRecord((store, peer.id, stored.id), tell)
        } catch {
            await tell(ConversationRecord.sentence(error))
            return ConversationRecord(nil, tell)
        }
    }
}

/// One conversation, written down in the order in which things are said.
///
/// Messages are stored in the background, as many at a time as have come meanwhile: so a fast sender does not wait for the
/// disk once for each.
actor ConversationRecord {
    private typealias Place = (store: Store, peer: PeerID, session: SessionID)

    /// How many messages may wait to be stored before who brings them waits, too.
    private static let limit = 1_024

    private let place: Place?
    private let tell: @Sendable (String) async -> Void
    private var waiting: [NewMessage] = []
    private var writer: Task<Void, Never>?
    private var hasFailed = false

    init(
        _ place: (store: Store, peer: PeerID, session: SessionID)?, _ tell: @escaping @Sendable (String) async -> Void
    ) {
        self.place = place
        self.tell = tell
    }

    /// A message came in.
    func received(_ message: Message) async {
        guard let place else { return }
        await add(
            .incoming(
                from: place.peer, body: message.bytes, sent: message.sentAt ?? message.receivedAt,
                received: message.receivedAt, session: place.session))
    }

    /// A message went out.
    func sent(_ bytes: [UInt8], at time: Date) async {
        guard let place else { return }
        await add(.outgoing(to: place.peer, body: bytes, at: time, session: place.session, state: .sent))
    }

    /// The conversation is over. Returns when everything is on the disk.
    func ended(_ end: SessionEnd) async {
        guard let place else { return }
        await settle()
        do throws(StoreError) {
            try await place.store.endSession(place.session, at: Date(), gracefully: end.isGraceful)
        } catch {
            await fail(error)
        }
    }

    private func add(_ message: NewMessage) async {
        waiting.append(message)
        if writer == nil { writer = Task { await self.write() } }
        if waiting.count >= Self.limit { await settle() }
    }

    private func settle() async {
        while let writer { await writer.value }
    }

    private func write() async {
        while !waiting.isEmpty, let place {
            let batch = waiting
            waiting = []
            do throws(StoreError) {
                try await place.store.append(contentsOf: batch)
            } catch {
                await fail(error)
            }
        }
        writer = nil
    }

    private func fail(_ error: StoreError) async {
        if hasFailed { return }
        hasFailed = true
        await tell(Self.sentence(error))
    }

    static func sentence(_ error: StoreError) -> String {
        "This conversation is not, or not wholly, in the history: \(DisplayText(error.description))"
    }
}

extension SessionEnd {
    /// Whether there was a goodbye.
    var isGraceful: Bool {
        switch self {
        case .closedByUs, .closedByPeer: true
        case .failed: false
        }
    }
}
