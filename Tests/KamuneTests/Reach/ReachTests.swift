import Foundation
import KamuneStore
import Synchronization
import Testing

@testable import Kamune

/// Knows what it is told.
private final class MemoryBook: AddressBook {
    private let state = Mutex<[PeerID: [DialAddress]]>([:])
    let reached = Mutex<[String]>([])
    let failed = Mutex<[String]>([])

    func set(_ addresses: [DialAddress], of peer: PeerID) { state.withLock { $0[peer] = addresses } }
    func addresses(of peer: PeerID) async -> [DialAddress] { state.withLock { $0[peer] ?? [] } }
    func noteReached(_ peer: PeerID, at address: DialAddress) async { reached.withLock { $0.append(address.text) } }
    func noteFailed(_ peer: PeerID, at address: DialAddress) async { failed.withLock { $0.append(address.text) } }
}

@Suite("Looking for whom one wants", .timeLimit(.minutes(2)))
struct ReachTests {
    @Test("what is written to somebody who is away is delivered when they are there, wherever that is")
    func away() async throws {
        let book = MemoryBook()
        let two = try await TwoMessengers(adaBook: book)
        let bob = try await two.ada.store.accept(two.bob.endpoint.identity.publicKey, name: "Bob", at: Date()).id
        let reach = Reach(two.ada)
        // Written before it begins.
        try await two.ada.write("one", to: bob)
        await reach.start()

        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        var conversations = listener.makeAsyncIterator()
        let closed = try await two.bob.listen(on: "127.0.0.1:0")
        await closed.close()
        book.set([DialAddress(closed.address), DialAddress(listener.address)], of: bob)
        await reach.noteAddresses(of: bob)
        let first = try #require(try await conversations.next())
        #expect(try await EventReader(first).texts(1) == ["one"])
        let atAda = try #require(await two.ada.conversation(with: bob))
        #expect(await atAda.waitUntilDelivered(for: .seconds(60)))
        #expect(book.reached.withLock { $0 } == [listener.address])
        #expect(book.failed.withLock { $0 } == [closed.address])
        // It stops, and begins again with what was written meanwhile.
        await reach.stop()
        await two.ada.close()
        try await two.ada.write("two", to: bob)
        await reach.start()
        let second = try #require(try await conversations.next())
        #expect(try await EventReader(second).texts(1) == ["two"])
        await reach.stop()
        await two.ada.close()
        await two.bob.close()
        await listener.close()
    }

    @Test("an address at which somebody refuses us is none at which the peer is not")
    func refused() async throws {
        let book = MemoryBook()
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        let two = try await TwoMessengers(
            bobVerifier: AskingVerifier { _ in
                ask.yield()
                return .refuse(reason: "not now")
            }, adaBook: book)
        let bob = try await two.ada.store.accept(two.bob.endpoint.identity.publicKey, name: "Bob", at: Date()).id
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        book.set([DialAddress(listener.address)], of: bob)
        let reach = Reach(two.ada)
        await reach.start()
        await reach.seek(bob)
        var asking = asked.makeAsyncIterator()
        await asking.next()
        // Asked again, so that what came of the first time is noted.
        await asking.next()
        #expect(book.failed.withLock { $0 }.isEmpty)
        #expect(book.reached.withLock { $0 }.isEmpty)
        await reach.stop()
        await listener.close()
    }

    @Test("a contact whose address has changed is found again by the conversation itself")
    func moved() async throws {
        var reconnection = Reconnection()
        reconnection.initialDelay = .milliseconds(1)
        let book = MemoryBook()
        let two = try await TwoMessengers(reconnection: reconnection, adaBook: book)
        let before = try await two.bob.listen(on: "127.0.0.1:0")
        let conversation = try await two.ada.dial(before.address)
        let reader = EventReader(conversation)
        #expect(try await reader.next { $0.summary } != nil)
        let after = try await two.bob.listen(on: "udp://127.0.0.1:0")
        book.set([DialAddress(after.address)], of: conversation.peerID)
        await before.close()
        await conversation.session?.abandon()
        #expect(try await reader.next { $0.summary } != nil)
        #expect(book.reached.withLock { $0 } == [before.address, after.address])
        await two.ada.close()
        await two.bob.close()
        await after.close()
    }

    @Test("a conversation that rests before it dials again is made to dial now")
    func hurry() async throws {
        var reconnection = Reconnection()
        reconnection.initialDelay = .seconds(3_600)
        let two = try await TwoMessengers(reconnection: reconnection)
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        let conversation = try await two.ada.dial(listener.address)
        let reader = EventReader(conversation)
        #expect(try await reader.next { $0.summary } != nil)
        await conversation.session?.abandon()
        try await reader.next { if case .reconnecting = $0 { true } else { nil } }
        await conversation.networkChanged()
        #expect(try await reader.next { $0.summary } != nil)
        await two.ada.close()
        await two.bob.close()
        await listener.close()
    }
}
