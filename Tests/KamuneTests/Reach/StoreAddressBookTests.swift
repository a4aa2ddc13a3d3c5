import Foundation
import KamuneStore
import KamuneSystem
import KamuneTestKit
import Testing

@testable import Kamune

@Suite("Addresses that the store keeps")
struct StoreAddressBookTests {
    @Test("the best come first, and a told route that failed is tried hourly")
    func rest() async throws {
        let clock = ManualClock()
        let store = try Store.inMemory()
        let book = StoreAddressBook(store, time: clock)
        let bob = try await store.accept(try Identity.generate(.ed25519).publicKey, name: "Bob", at: clock.date).id
        #expect(await book.addresses(of: bob).isEmpty)
        try await store.addAddress("given.example:1", of: bob, at: clock.date)
        #expect(try await store.setToldRoutes(["tcp://told.example:2"], of: bob, at: clock.date))
        let (given, told) = (DialAddress("given.example:1"), DialAddress("tcp://told.example:2", isTold: true))
        #expect(await book.addresses(of: bob) == [given, told])
        clock.advance(by: .seconds(1))
        await book.noteFailed(bob, at: given)
        await book.noteFailed(bob, at: told)
        clock.advance(by: .seconds(3_599))
        #expect(await book.addresses(of: bob) == [given])
        clock.advance(by: .seconds(1))
        #expect(await book.addresses(of: bob) == [given, told])
        await book.noteReached(bob, at: told)
        #expect(await book.addresses(of: bob).first == told)
    }

    @Test("a messenger keeps in its store where a peer was found")
    func kept() async throws {
        let two = try await TwoMessengers()
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        let conversation = try await two.ada.dial(listener.address)
        let known = try await two.ada.store.addresses(of: conversation.peerID, at: Date())
        #expect(known.map(\.text) == [listener.address])
        #expect(known.first?.works == true)
        await two.ada.close()
        await two.bob.close()
        await listener.close()
    }
}
