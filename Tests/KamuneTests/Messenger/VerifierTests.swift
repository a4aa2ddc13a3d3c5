import Foundation
import KamuneStore
import Synchronization
import Testing

@testable import Kamune

@Suite("A verifier for one call", .timeLimit(.minutes(5)))
struct VerifierTests {
    private let nobody = AskingVerifier { _ in .refuse(reason: "nobody") }

    @Test("is asked in the place of the messenger's own, on either side")
    func perCall() async throws {
        let two = try await TwoMessengers(adaVerifier: nobody, bobVerifier: nobody)
        let open = try await two.bob.listen(on: "127.0.0.1:0", verifier: .anyone)
        let closed = try await two.bob.listen(on: "127.0.0.1:0")
        let code = await error { () async throws(KamuneError) in try await two.ada.dial(open.address) }?.code
        #expect(code == .refusedByUs)
        let refused = await error { () async throws(KamuneError) in
            try await two.ada.dial(closed.address, verifier: .anyone)
        }
        #expect(refused?.code == .refusedByPeer)
        let conversation = try await two.ada.dial(open.address, verifier: .anyone)
        #expect(await conversation.isConnected)
        await two.ada.close()
        await two.bob.close()
        await open.close()
        await closed.close()
    }

    /// Neither knows the other, so that they introduce themselves each time.
    @Test("is asked also when the peer is dialed again")
    func redialing() async throws {
        var reconnection = Reconnection()
        reconnection.initialDelay = .milliseconds(1)
        let two = try await TwoMessengers(reconnection: reconnection, adaVerifier: nobody)
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        let asked = Mutex(0)
        let verifier = AskingVerifier { _ in
            asked.withLock { $0 += 1 }
            return .accept(.policy)
        }
        let conversation = try await two.ada.dial(listener.address, verifier: verifier)
        let reader = EventReader(conversation)
        #expect(try await reader.next { $0.summary } != nil)
        await conversation.session?.abandon()
        #expect(try await reader.next { $0.summary } != nil)
        #expect(asked.withLock { $0 } == 2)
        await two.ada.close()
        await two.bob.close()
        await listener.close()
    }
}
