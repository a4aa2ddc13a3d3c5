import Foundation
import KamuneProtocol
import KamuneStore
import KamuneTransport
import Synchronization
import Testing

@testable import Kamune

@Suite("Where one wants to be found")
struct RouteTests {
    /// Ada's answer to where she wants to be found, which a test changes.
    private final class Answer: Sendable {
        let texts: Mutex<[String]?>
        let asked = Mutex<[PeerID]>([])

        init(_ texts: [String]?) { self.texts = Mutex(texts) }

        func find(_ peer: PeerID) -> [String]? {
            asked.withLock { $0.append(peer) }
            return texts.withLock { $0 }
        }
    }

    private static func addresses(_ store: Store, _ peer: PeerID) async throws -> [String] {
        try await store.addresses(of: peer, at: Date()).map(\.text)
    }

    /// Waits for the store to have these addresses.
    private static func expect(_ texts: [String], of peer: PeerID, in store: Store) async throws {
        while try await addresses(store, peer) != texts { await Task.yield() }
    }

    @Test("what a peer tells is kept, and so is what it tells later in its place", .timeLimit(.minutes(1)))
    func telling() async throws {
        let answer = Answer([
            "example.org:9000", "udp://9.9.9.9:1?turbo", "10.0.0.1:5", "localhost:5", "nonsense", "[fe80::1]:1",
        ])
        let two = try await TwoMessengers { configuration in configuration.routes = { peer, _ in answer.find(peer) } }
        try await two.accept()
        let (ada, bob, _) = try await two.connect()
        try await Self.expect(["example.org:9000", "udp://9.9.9.9:1"], of: bob.peerID, in: two.bob.store)
        let told = try await two.bob.store.addresses(of: bob.peerID, at: Date())
        #expect(told.allSatisfy { $0.source == .told && $0.expires != nil })
        answer.texts.withLock { $0 = ["9.9.9.9:2"] }
        await two.ada.routesChanged()
        try await Self.expect(["9.9.9.9:2"], of: bob.peerID, in: two.bob.store)
        // What is told to nobody leaves things as they are; what is taken back is gone.
        answer.texts.withLock { $0 = nil }
        await two.ada.routesChanged()
        answer.texts.withLock { $0 = [] }
        await two.ada.routesChanged()
        try await Self.expect([], of: bob.peerID, in: two.bob.store)
        // Another session tells anew.
        answer.texts.withLock { $0 = ["9.9.9.9:3"] }
        try await two.connect()
        try await Self.expect(["9.9.9.9:3"], of: bob.peerID, in: two.bob.store)
        await ada.close()
        await bob.close()
    }

    @Test("who is not accepted is told nothing, and nothing is taken from them", .timeLimit(.minutes(1)))
    func strangers() async throws {
        let answer = Answer(["9.9.9.9:2"])
        let two = try await TwoMessengers { configuration in configuration.routes = { peer, _ in answer.find(peer) } }
        // Bob has accepted Ada, and she has not accepted him.
        let ada = try await two.bob.store.accept(two.ada.endpoint.identity.publicKey, name: "Ada", at: Date()).id
        let (adaConversation, bobConversation, _) = try await two.connect()
        #expect(bobConversation.peerID == ada)
        // Bob tells, and Ada takes nothing; what comes later over the session is stored later.
        while answer.asked.withLock({ $0.count }) < 2 { await Task.yield() }
        try await bobConversation.send("hello")
        #expect(try await EventReader(adaConversation).texts(1) == ["hello"])
        try await adaConversation.send("hello")
        #expect(try await EventReader(bobConversation).texts(1) == ["hello"])
        #expect(try await Self.addresses(two.bob.store, ada) == [])
        #expect(try await Self.addresses(two.ada.store, adaConversation.peerID) == [])
        await adaConversation.close()
        await bobConversation.close()
    }

    @Test("who takes only short messages, or has no such capability, is told nothing")
    func notAgreed() async throws {
        let short = try await TwoMessengers { $0.maximumMessageSize = 1_000 }
        #expect(
            !short.ada.endpoint.capabilities.contains(.routes) && short.ada.endpoint.capabilities.contains(.delivery))
        let long = try await TwoMessengers()
        #expect(long.ada.endpoint.capabilities.contains(.routes))
        let endpoint = try TestEndpoints.make(name: "Ada")
        #expect(!endpoint.capabilities.contains(.routes))
    }

    @Test(
        "addresses that mean another machine to each of two are neither told nor taken",
        arguments: [
            ("9.9.9.9:1", true, true), ("tcp://9.9.9.9:1", true, true), ("udp://[2a00::1]:1", true, true),
            ("example.org:1", true, true), ("10.1.2.3:1", false, true), ("172.16.0.1:1", false, true),
            ("192.168.0.1:1", false, true), ("100.64.0.1:1", false, true), ("[fd00::1]:1", false, true),
            ("127.0.0.1:1", false, false), ("[::1]:1", false, false), ("0.0.0.0:1", false, false),
            ("[::]:1", false, false), ("169.254.1.1:1", false, false), ("[fe80::1%eth0]:1", false, false),
            ("224.0.0.1:1", false, false), ("[ff02::1]:1", false, false), ("[::ffff:127.0.0.1]:1", false, false),
            ("[::ffff:10.0.0.1]:1", false, true), ("localhost:1", false, false), ("a.localhost:1", false, false),
            ("printer.local:1", false, false), ("printer:1", false, false), ("example.org:0", false, false),
            (":1", false, false), ("relay://example.org:1", false, false), ("", false, false),
        ])
    func acceptable(_ text: String, everywhere: Bool, onSharedLink: Bool) {
        #expect(PeerRoutes.acceptable([text], sharesLink: false).count == (everywhere ? 1 : 0))
        #expect(PeerRoutes.acceptable([text], sharesLink: true).count == (onSharedLink ? 1 : 0))
        if !text.contains("://") {
            #expect(PeerRoutes.acceptable([text], sharesLink: true, needsScheme: true).isEmpty)
        }
    }
}
