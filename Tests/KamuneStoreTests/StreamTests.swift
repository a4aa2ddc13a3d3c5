import Foundation
import GRDB
import KamuneCrypto
import KamuneProtocol
import Testing

@testable import KamuneStore

/// The stream of our messages to a peer: in which order they are sent, how far they were handed over, and what follows from
/// what the peer says that it has (PROTOCOL 10.5).
@Suite struct StreamTests {
    private let folder: Folder
    private let store: Store
    private let bob: PeerID

    init() async throws {
        folder = try Folder()
        store = try folder.store()
        bob = try await store.addPeer(1)
    }

    // MARK: What a conversation does

    /// Hands over what waits, some at a time.
    @discardableResult
    private func handOver(
        _ store: Store? = nil, to peer: PeerID? = nil, _ handover: Handover = .acknowledged, step: Int = 2
    ) async throws -> [String] {
        let (store, peer) = (store ?? self.store, peer ?? bob)
        var texts: [String] = []
        var last: StreamPlace?
        while true {
            let place = last
            let page = try await store.write {
                try $0.handOver(to: peer, handover, after: place, limit: step, bytes: .max, at: noon)
            }
            texts += page.messages.map(\.message.text)
            guard !page.isEnd else { return texts }
            last = page.messages.last?.place ?? last
            #expect(page.messages.count <= step)
        }
    }

    /// The peer says that it has a message.
    @discardableResult
    private func peerHas(
        _ id: MessageID, _ store: Store? = nil, with peer: PeerID? = nil
    ) async throws -> [MessageID] {
        let peer = peer ?? bob
        return try await (store ?? self.store).write { try $0.settle(peerHas: id, to: peer, at: noon) }
    }

    private func giveUpEarlier() async throws -> [MessageID] {
        try await store.write { [bob] in try $0.giveUpEarlierPlainMessages(to: bob, at: noon) }
    }

    private func lastIncoming() async throws -> MessageID? {
        try await store.read { [bob] in try $0.lastIncoming(from: bob) }
    }

    private func backUp(_ store: Store? = nil, as name: String = "backup") async throws -> String {
        let path = folder.path + "/" + name
        _ = try await (store ?? self.store).backup(
            to: path, passphrase: SecretBytes(copying: [1]), replacing: true, derivation: cheap)
        return path
    }

    private func states(_ store: Store? = nil, with peer: PeerID? = nil) async throws -> [MessageState] {
        try await (store ?? self.store).messages(with: peer ?? bob).map(\.state)
    }

    private func merge(_ path: String, into store: Store? = nil) async throws {
        try await (store ?? self.store).merge(backup: path, passphrase: SecretBytes(copying: [1]))
    }

    private func restore(_ path: String) async throws -> Store {
        try await Store.restore(
            backup: path, passphrase: SecretBytes(copying: [1]), to: folder.location("restored.db"),
            credential: .unprotected, derivation: cheap)
    }

    // MARK: Order and handing over

    @Test func inOrder() async throws {
        for index in 0..<5 { _ = try await store.say("\(index)", to: bob) }
        #expect(try await handOver() == ["0", "1", "2", "3", "4"])
        #expect(try await states() == Array(repeating: .waiting, count: 5))
        let pending = try await store.write { [bob] in
            try $0.appendToStream(
                [.outgoing(to: bob, body: [53], at: noon)], to: bob, handingOver: .acknowledged)
        }
        // What is appended and handed over at once counts without being asked for.
        #expect(try await peerHas(pending[0].message.id).count == 6)
        #expect(try await handOver() == [])
    }

    @Test func pages() async throws {
        for size in [10, 900, 10, 10] {
            _ = try await store.append(.outgoing(to: bob, body: [UInt8](repeating: 65, count: size), at: noon))
        }
        let (first, second) = try await store.write { [bob] transaction in
            let first = try transaction.handOver(
                to: bob, .acknowledged, after: nil, limit: 10, bytes: 500, at: noon)
            return (
                first,
                try transaction.handOver(
                    to: bob, .acknowledged, after: first.messages.last?.place, limit: 10, bytes: 500, at: noon)
            )
        }
        #expect(first.messages.map(\.message.body.count) == [10, 900] && !first.isEnd)
        #expect(second.messages.map(\.message.body.count) == [10, 10] && second.isEnd)
    }

    @Test func whatThePeerHasSettlesAllBefore() async throws {
        var ids: [MessageID] = []
        for index in 0..<200 { ids.append(try await store.say("\(index)", to: bob).id) }
        try await handOver(step: 50)
        #expect(try await peerHas(ids[150]) == Array(ids[...150]))
        #expect(try await store.message(ids[150], with: bob, .outgoing)?.received == noon)
        #expect(try await handOver() == (151..<200).map { "\($0)" })
        // Nothing new, unknown, or settled already.
        #expect(try await peerHas(ids[150]) == [])
        #expect(try await peerHas(ids[3]) == [])
        #expect(try await peerHas(MessageID(stream: 1, number: 1)) == [])
    }

    @Test func whatWasNeverHandedOverIsNotSettled() async throws {
        let first = try await store.say("first", to: bob)
        try await handOver()
        let second = try await store.say("second", to: bob)
        #expect(try await peerHas(second.id) == [])
        #expect(try await peerHas(first.id) == [first.id])
        // Another peer's word says nothing of Bob's.
        let eve = try await store.addPeer(2, "eve")
        let toEve = try await store.say("eve", to: eve)
        try await handOver(to: eve)
        #expect(try await peerHas(second.id, with: eve) == [])
        #expect(try await peerHas(toEve.id) == [])
        #expect(try await states() == [.delivered, .waiting])
    }

    @Test func marksLast() async throws {
        let message = try await store.say("kept", to: bob)
        try await handOver()
        try await store.close()
        let reopened = try folder.reopen()
        #expect(try await peerHas(message.id, reopened) == [message.id])
        try await reopened.verify()
    }

    // MARK: Backups

    /// The scenario of the issue: a message that was never sent counted as delivered.
    @Test(
        "what was merged in is sent, whether a later message is known to have arrived or not", arguments: [false, true])
    func mergedMessagesAreSent(isAcknowledged: Bool) async throws {
        let x = try await store.say("X", to: bob)
        let path = try await backUp()
        try await store.deleteHistory(with: bob)
        let y = try await store.say("Y", to: bob, at: noon.plus(hours: 1))
        try await handOver()
        // Y has arrived, whether we have heard of it or not.
        if isAcknowledged { #expect(try await peerHas(y.id) == [y.id]) }
        try await merge(path)
        #expect(try await store.texts(with: bob) == ["X", "Y"])
        try await peerHas(y.id)
        #expect(try await states() == [.waiting, .delivered])
        #expect(try await handOver() == ["X"])
        // Even now that it was handed over, Y says nothing about it.
        #expect(try await peerHas(y.id) == [])
        #expect(try await states() == [.waiting, .delivered])
        #expect(try await peerHas(x.id) == [x.id])
    }

    /// In the backup X comes first, but Bob was sent Y first, and has that alone.
    @Test func restoredMessagesSettleNoOthers() async throws {
        let x = try await store.say("X", to: bob)
        let early = try await backUp(as: "early")
        try await store.deleteHistory(with: bob)
        let y = try await store.say("Y", to: bob, at: noon.plus(hours: 1))
        try await merge(early)
        #expect(try await handOver() == ["Y", "X"])
        let restored = try await restore(try await backUp(as: "late"))
        let peer = try await restored.peers()[0].id
        #expect(try await restored.texts(with: peer) == ["X", "Y"])
        // Not handed over yet, so it is sent again.
        #expect(try await peerHas(y.id, restored, with: peer) == [])
        #expect(try await handOver(restored, to: peer) == ["X", "Y"])
        // The session broke before a byte went out, and Bob has Y from before.
        #expect(try await peerHas(y.id, restored, with: peer) == [y.id])
        #expect(try await states(restored, with: peer) == [.waiting, .delivered])
        #expect(try await peerHas(x.id, restored, with: peer) == [x.id])
        try await restored.verify()
    }

    @Test func deletedAndRestoredMessagesComeLast() async throws {
        let first = try await store.say("first", to: bob)
        let second = try await store.say("second", to: bob, at: noon.plus(hours: 1))
        let path = try await backUp()
        try await store.deleteMessages(at: [first.position])
        try await handOver()
        try await merge(path)
        #expect(try await store.texts(with: bob) == ["first", "second"])
        #expect(try await peerHas(second.id) == [second.id])
        #expect(try await handOver() == ["first"])
    }

    @Test func plainMessagesOfABackupAreNotSentAgain() async throws {
        _ = try await store.say("sent", to: bob)
        try await handOver(nil, .plain)
        _ = try await store.say("waiting", to: bob)
        let restored = try await restore(try await backUp())
        let peer = try await restored.peers()[0].id
        let page = try await restored.write {
            try $0.handOver(to: peer, .plain, after: nil, limit: 10, bytes: .max, at: noon)
        }
        #expect(page.messages.map(\.message.text) == ["waiting"] && page.lost.count == 1)
        #expect(try await states(restored, with: peer) == [.maybeLost, .waiting])
    }

    // MARK: Two peers become one

    @Test func joinedMessagesComeLast() async throws {
        let known = try await store.say("to the key that is known", to: bob)
        let other = try await store.addPeer(2, "bob")
        for text in ["to the other key", "sent plainly"] { _ = try await store.say(text, to: other) }
        try await handOver(to: other, .plain, step: 1)
        let late = try await store.say("later", to: other)
        let last = try await store.say("last", to: bob)
        try await handOver()
        let moved = try await store.moveTrust(from: try key(1), to: try key(2), at: noon)
        #expect(moved.id == bob)
        // What was sent to the one key says nothing of what was for the other.
        #expect(try await peerHas(last.id) == [known.id, last.id])
        #expect(try await handOver() == ["later"])
        #expect(try await states() == [.delivered, .maybeLost, .maybeLost, .waiting, .delivered])
        #expect(try await peerHas(late.id) == [late.id])
        // What is written next comes after it, also after a restart.
        try await store.close()
        let reopened = try folder.reopen()
        _ = try await reopened.say("next", to: bob)
        let next = try await reopened.write { [bob] in
            try $0.handOver(to: bob, .acknowledged, after: nil, limit: 9, bytes: .max, at: noon)
        }
        #expect(next.messages.map(\.message.text) == ["next"])
        try await reopened.verify()
    }

    @Test func turnsAreNeverGivenTwice() async throws {
        let other = try await store.addPeer(2, "bob")
        _ = try await store.say("one", to: other)
        _ = try await store.say("two", to: other)
        try await store.moveTrust(from: try key(1), to: try key(2), at: noon)
        try await store.close()
        let reopened = try folder.reopen()
        _ = try await reopened.say("three", to: bob)
        let page = try await reopened.write { [bob] in
            try $0.handOver(to: bob, .acknowledged, after: nil, limit: 9, bytes: .max, at: noon)
        }
        #expect(page.messages.map(\.message.text) == ["one", "two", "three"])
        #expect(Set(page.messages.map(\.place)).count == 3)
        // A message that is to be sent again comes last.
        let first = page.messages[0].message.id
        try await reopened.setState(.maybeLost, of: [first], to: bob, at: noon)
        try await reopened.setState(.waiting, of: [first], to: bob, at: noon)
        #expect(try await handOver(reopened) == ["two", "three", "one"])
    }

    // MARK: Peers that do not acknowledge

    @Test func plainMessages() async throws {
        for index in 0..<4 { _ = try await store.say("\(index)", to: bob) }
        let places = try await store.write { [bob] in
            try $0.handOver(to: bob, .plain, after: nil, limit: 3, bytes: .max, at: noon).messages.map(\.place)
        }
        try await store.write { [bob] in
            _ = try $0.settle(through: places[0], to: bob, as: .sent, at: noon)
        }
        // Two have left, and the connection breaks: the third was read from the store only.
        let lost = try await store.write { [bob] in
            try $0.giveUpPlainMessages(through: places[1], to: bob, at: noon)
        }
        #expect(lost.count == 1)
        #expect(try await states() == [.sent, .maybeLost, .waiting, .waiting])
        #expect(try await giveUpEarlier() == [])
        // The program ends: what was read may have left.
        try await store.write { [bob] in
            _ = try $0.handOver(to: bob, .plain, after: nil, limit: 1, bytes: .max, at: noon)
        }
        #expect(try await giveUpEarlier().count == 1)
        #expect(try await states() == [.sent, .maybeLost, .maybeLost, .waiting])
        #expect(try await handOver() == ["3"])
    }

    // MARK: Receiving

    @Test func incoming() async throws {
        #expect(try await lastIncoming() == nil)
        func message(_ number: UInt64) -> NewMessage {
            .incoming(
                from: bob, body: Array("\(number)".utf8), sent: noon, received: noon,
                id: MessageID(stream: 9, number: number))
        }
        let batch = [message(1), message(2), message(1)]
        let new = try await store.write { [bob] in try $0.keep(batch, from: bob) }
        #expect(new.map(\.text) == ["1", "2"])
        let again = try await store.write { [bob] in try $0.keep(batch, from: bob) }
        #expect(again.isEmpty)
        _ = try await store.say("ours", to: bob)
        #expect(try await lastIncoming() == MessageID(stream: 9, number: 2))
        let nobody = PeerID(row: 77)
        await #expect(throws: StoreError.noSuchRecord(what: "peer")) {
            try await store.write { _ = try $0.keep([], from: nobody) }
        }
    }

    // MARK: Earlier versions

    @Test func earlierStores() async throws {
        let url = try #require(
            Bundle.module.url(forResource: "store-v1", withExtension: "db", subdirectory: "Resources"))
        let folder = try Folder()
        try folder.write([UInt8](Data(contentsOf: url)), to: "kamune.db")
        let store = try folder.reopen()
        let peer = try #require(try await store.peers(named: "Bob from work").first).id
        let waiting = try #require(try await store.pendingMessages(to: peer).first)
        func peerHasIt() async throws -> [MessageID] {
            try await store.write { try $0.settle(peerHas: waiting.id, to: peer, at: noon) }
        }
        // Whether it was handed over is not known: it is sent again.
        #expect(try await peerHasIt() == [])
        #expect(try await handOver(store, to: peer) == ["waiting"])
        #expect(try await peerHasIt() == [waiting.id])
        try await store.verify()
    }
}
