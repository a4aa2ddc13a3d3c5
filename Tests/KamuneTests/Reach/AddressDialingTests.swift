import Foundation
import KamuneStore
import KamuneTestKit
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Dialing several addresses", .timeLimit(.minutes(5)))
struct AddressDialingTests {
    /// Addresses at which nobody answers, over either transport: one that takes connections and says nothing, and sockets.
    private struct Dead {
        let listener: any ConnectionListener
        let sockets: [RawDatagrams]

        init() async throws {
            listener = try await TCPTransport.listen(on: Address(host: "127.0.0.1", port: 0))
            sockets = try (0..<2).map { _ in try #require(RawDatagrams()) }
        }

        var addresses: [DialAddress] {
            let texts = ["\(listener.localAddress)"] + sockets.map { "udp://127.0.0.1:\($0.port)" }
            return texts.map { DialAddress($0) }
        }
    }

    @Test("three dead addresses keep nobody from the one that lives", arguments: ["127.0.0.1:0", "udp://127.0.0.1:0"])
    func dead(address: String) async throws {
        let two = try await TwoMessengers()
        let listener = try await two.bob.listen(on: address)
        let dead = try await Dead()
        let start = ContinuousClock.now
        let found = try await two.ada.dial(anyOf: dead.addresses + [DialAddress(listener.address)])
        // Three quarters of a second by the rules, which have tests of their own; a time-out would take ten.
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(found.address.text == listener.address)
        #expect(found.failures.isEmpty)
        #expect(found.carrier.peer.name == "Bob")
        await two.ada.close()
        await two.bob.close()
        await listener.close()
    }

    @Test("whoever else answers is passed over, and told of")
    func wrongKey() async throws {
        let two = try await TwoMessengers()
        let carol = try TestEndpoints.make(name: "Carol")
        let wrong = try await carol.listen(on: "127.0.0.1:0")
        let right = try await two.bob.listen(on: "127.0.0.1:0")
        let closed = try await two.bob.listen(on: "127.0.0.1:0")
        await closed.close()
        let bob = two.bob.endpoint.identity.publicKey
        let addresses = [closed.address, wrong.address, right.address].map { DialAddress($0) }
        let found = try await two.ada.dial(anyOf: addresses, expecting: bob)
        #expect(found.address.text == right.address)
        #expect(found.failures.map(\.address.text) == [closed.address, wrong.address])
        #expect(found.failures.map(\.error.code) == [.unreachable, .refusedByUs])

        let failure = await error { () async throws(KamuneError) in
            try await two.ada.dial(anyOf: Array(addresses.prefix(2)), expecting: bob)
        }
        #expect(failure?.code == .refusedByUs)
        #expect(failure?.addressFailures.map(\.error.code) == [.unreachable, .refusedByUs])
        let nothing = await error { () async throws(KamuneError) in try await two.ada.dial(anyOf: [], expecting: bob) }
        #expect(nothing?.code == .invalidAddress)
        await two.ada.close()
        await two.bob.close()
        await wrong.close()
        await right.close()
    }

    @Test("we introduce ourselves at one address at a time")
    func oneAtATime() async throws {
        let (asked, ask) = AsyncStream.makeStream(of: String.self)
        let (answers, answer) = AsyncStream.makeStream(of: Void.self)
        func asking(_ name: String) -> AskingVerifier {
            AskingVerifier { _ in
                ask.yield(name)
                for await _ in answers { break }
                return .refuse(reason: "no")
            }
        }
        let first = try await TestEndpoints.make(name: "Bob", verifier: asking("first")).listen(on: "127.0.0.1:0")
        let second = try await TestEndpoints.make(name: "Bob", verifier: asking("second")).listen(on: "127.0.0.1:0")
        let ada = try TestEndpoints.make(name: "Ada")
        let dialing = Task {
            await error { () async throws(KamuneError) in
                try await ada.dial(anyOf: [DialAddress(first.address), DialAddress(second.address)])
            }
        }
        var names = asked.makeAsyncIterator()
        #expect(await names.next() == "first")
        answer.yield()
        #expect(await names.next() == "second")
        answer.yield()
        #expect(await dialing.value?.code == .refusedByPeer)
        await first.close()
        await second.close()
    }

    @Test("a session is resumed, and if that fails they introduce themselves at the same address")
    func resuming() async throws {
        let two = try await TwoMessengers()
        let dead = try await Dead()
        let listener = try await two.bob.listen(on: "udp://127.0.0.1:0")
        let bob = two.bob.endpoint.identity.publicKey
        let addresses = [dead.addresses[0], DialAddress(listener.address)]
        var conversations = listener.makeAsyncIterator()
        let found = try await two.ada.dial(anyOf: addresses, expecting: bob)
        let reader = EventReader(found.carrier)
        // The listener knows of a session a moment after whoever has dialed.
        let other = EventReader(try #require(try await conversations.next()))
        #expect(try await other.next { $0.summary } != nil)
        #expect(try await reader.next { $0.summary }?.isResumed == false)
        try await two.accept()
        await found.carrier.session?.abandon()
        // The conversation looks for its peer at all addresses.
        #expect(try await reader.next { $0.summary }?.isResumed == true)
        #expect(try await other.next { $0.summary }?.isResumed == true)
        for session in try await two.bob.store.sessions() { try await two.bob.store.delete(session.id) }
        await found.carrier.session?.abandon()
        #expect(try await reader.next { $0.summary }?.isResumed == false)
        await two.ada.close()
        await two.bob.close()
        await listener.close()
    }

    @Test("what a peer has told does not lead to our own machine")
    func told() async throws {
        let two = try await TwoMessengers()
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        let port = try #require(Address(listener.address)).port
        for host in ["127.0.0.1", "localhost"] {
            let told = DialAddress("\(host):\(port)", isTold: true)
            let failure = await error { () async throws(KamuneError) in try await two.ada.dial(anyOf: [told]) }
            #expect(failure?.code == .nameNotResolved)
        }
        await listener.close()
    }

    @Test("calling it off ends all attempts")
    func cancelled() async throws {
        let ada = try TestEndpoints.make(name: "Ada")
        let dead = try await Dead()
        let dialing = Task {
            await error { () async throws(KamuneError) in try await ada.dial(anyOf: dead.addresses) }
        }
        dialing.cancel()
        #expect(await dialing.value?.code == .cancelled)
    }
}
