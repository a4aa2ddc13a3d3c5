import Foundation
import Kamune
import KamuneCrypto
import KamuneStore
import KamuneSystem
import Synchronization
import Testing

@testable import KamuneNode

@Suite("A node that waits to be unlocked", .timeLimit(.minutes(10)))
struct LockedNodeTests {
    /// A locked node over a store with a passphrase.
    private final class LockedHouse: Sendable {
        let location = Household.place()
        /// How often somebody has tried.
        let attempts = Mutex(0)
        let opened = Mutex<Node?>(nil)

        func start() async throws -> NodeServer {
            try await NodeServer.start(lockedAt: location) { passphrase throws(NodeError) in
                self.attempts.withLock { $0 += 1 }
                do throws(StoreError) {
                    let store = try await Store.open(
                        at: self.location, credential: .passphrase(passphrase.copy()))
                    let node = Node(store: store)
                    self.opened.withLock { $0 = node }
                    return node
                } catch {
                    throw NodeError(error)
                }
            }
        }

        func remove() {
            try? FileManager.default.removeItem(atPath: (location.path as NSString).deletingLastPathComponent)
        }
    }

    private func with(_ body: (LockedHouse, NodeServer) async throws -> Void) async throws {
        let house = LockedHouse()
        defer { house.remove() }
        let store = try await Store.create(at: house.location, credential: .passphrase("right"))
        _ = try await store.accept(try Identity.generate().publicKey, name: "Ada", at: Date())
        try await store.close()
        let server = try await house.start()
        do {
            try await body(house, server)
        } catch {
            await server.close()
            throw error
        }
        await server.close()
        await house.opened.withLock { $0 }?.close()
    }

    private func secret(_ text: String) -> SecretBytes { SecretBytes(copying: Array(text.utf8)) }

    @Test("it says that it is locked, does nothing, and is unlocked by whoever knows the passphrase")
    func unlocking() async throws {
        try await with { house, _ in
            let window = try #require(try await RemoteNode.connect(to: house.location))
            #expect(window.isLocked)
            #expect(await window.refusal(of: ListContacts()) == .locked)
            let error = await #expect(throws: NodeError.self) { try await window.unlock(secret("wrong")) }
            #expect(error?.code == .wrongPassphrase && window.isLocked)
            // It counts as it does for who opens the store.
            #expect(Store.passphraseFailures(at: house.location) == 1)
            #expect(await window.refusal(of: ListContacts()) == .locked)
            try await window.unlock(secret("right"))
            #expect(!window.isLocked && Store.passphraseFailures(at: house.location) == 0)
            #expect(try await window.ask(ListContacts()).contacts.map(\.name) == ["Ada"])
            await window.close()
            let later = try #require(try await RemoteNode.connect(to: house.location))
            #expect(!later.isLocked)
            await later.close()
        }
    }

    @Test("of several who unlock it at once nobody fails, and it is opened once")
    func atOnce() async throws {
        try await with { house, _ in
            var windows: [RemoteNode] = []
            for _ in 0..<4 { windows.append(try #require(try await RemoteNode.connect(to: house.location))) }
            try await withThrowingTaskGroup { group in
                for window in windows {
                    group.addTask { try await window.unlock(SecretBytes(copying: Array("right".utf8))) }
                }
                try await group.waitForAll()
            }
            #expect(house.attempts.withLock { $0 } == 1)
            for window in windows {
                #expect(try await window.ask(ListContacts()).contacts.count == 1)
                await window.close()
            }
        }
    }

    @Test("who was there before another unlocked it sees as much as that one")
    func thoseWhoWaited() async throws {
        try await with { house, _ in
            let (first, second) = (try await RawClient.open(house.location), try await RawClient.open(house.location))
            for client in [first, second] {
                let greeting = try #require(try await client.hear()).data(NodeLine.Greeting.self)
                #expect(greeting.locked == true)
                #expect(try await client.answer(to: "contacts.list").code == .locked)
            }
            #expect(try await second.answer(to: "node.unlock", #"{"passphrase":"right"}"#).code == nil)
            #expect(try await first.answer(to: "node.subscribe", #"{"events":{}}"#).code == nil)
            let ada = try await second.answer(to: "contacts.list").data(ListContacts.Answer.self).contacts[0].id
            #expect(
                try await second.answer(to: "contacts.rename", #"{"contact":"\#(ada)","own_name":"Eve"}"#).code == nil)
            #expect(try await first.hear { $0.head.evt == "contact.changed" }.contact == ada)
            // One who unlocks it again is let in like all others.
            #expect(try await first.answer(to: "node.unlock", #"{"passphrase":"x"}"#).code == nil)
            for client in [first, second] { await client.vanish() }
        }
    }
}
