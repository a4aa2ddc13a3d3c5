import Foundation
import KamuneStore
import KamuneTestKit
import KamuneTransport
import Synchronization
import Testing

@testable import Kamune

@Suite("Connections that are lost and come back")
struct ReconnectionTests {
    /// Quick, and patient.
    private static func quick(_ adjust: (inout Reconnection) -> Void = { _ in }) -> Reconnection {
        var reconnection = Reconnection()
        reconnection.initialDelay = .milliseconds(1)
        reconnection.maximumDelay = .milliseconds(8)
        adjust(&reconnection)
        return reconnection
    }

    /// Ada has dialed Bob over TCP.
    private struct Connected {
        private static let hosts = Atomic(0)

        /// An address of this machine that nothing else uses, so that a port of it is still free when a listener comes back
        /// to it; where all of 127.0.0.0/8 is this machine.
        private static func ownHost() -> String {
            #if os(Linux)
            let number = hosts.wrappingAdd(1, ordering: .relaxed).newValue
            return "127.77.\(number >> 8 & 0xff).\(number & 0xff)"
            #else
            return "127.0.0.1"
            #endif
        }

        let listener: ConversationListener
        let ada: Conversation
        let bob: Conversation

        init(_ two: TwoMessengers, through proxy: ((String) async throws -> String)? = nil) async throws {
            listener = try await two.bob.listen(on: "\(Self.ownHost()):0")
            ada = try await two.ada.dial(proxy?(listener.address) ?? listener.address)
            var accepted = listener.makeAsyncIterator()
            bob = try #require(try await accepted.next())
        }
    }

    @Test("intervals grow up to a limit, and are random within bounds")
    func delays() {
        var reconnection = Reconnection()
        var random = SeededRandom(1)
        for (attempt, middle) in zip(1..., [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]) {
            let delays = (0..<200).map { _ in reconnection.delay(before: attempt, using: &random) / .seconds(1) }
            #expect(delays.allSatisfy { $0 >= middle * 0.5 && $0 <= middle * 1.5 })
            #expect((delays.max() ?? 0) - (delays.min() ?? 0) > middle * 0.8)
        }
        #expect(reconnection.delay(before: .max, using: &random) <= .seconds(90))
        reconnection.jitter = 0
        #expect(reconnection.delay(before: 3, using: &random) == .seconds(2))
        reconnection.factor = 0
        #expect(reconnection.delay(before: 100, using: &random) == .milliseconds(500))
    }

    @Test("a peer that goes away and comes back is found again, and the session resumed", arguments: [true, false])
    func comesBack(hasTokens: Bool) async throws {
        let two = try await TwoMessengers(reconnection: Self.quick())
        let connected = try await Connected(two)
        let (ada, bob) = (connected.ada, connected.bob)
        let (adaEvents, bobEvents) = (EventReader(ada), EventReader(bob))
        let before = try #require(try await adaEvents.next { $0.summary })
        try await two.accept()
        await connected.listener.close()
        if !hasTokens {
            let session = try #require(try await two.bob.store.session(identifier: before.id))
            try await two.bob.store.removeTokens(of: session.id)
        }
        await bob.session?.abandon()
        #expect(try await adaEvents.next { $0.loss } != nil)
        #expect(try await adaEvents.next { if case .reconnecting(4, _) = $0 { true } else { nil } } == true)
        let message = try await ada.send("meanwhile")
        let listener = try await two.bob.listen(on: connected.listener.address)
        let after = try #require(try await adaEvents.next { $0.summary })
        #expect(try await bobEvents.texts(1) == ["meanwhile"])
        #expect(try await adaEvents.next { $0.state(of: message.id) == .delivered ? true : nil } == true)
        // While nobody listened no token was spent: a ticket is taken from the store, but the next one works too.
        #expect(after.isResumed == hasTokens)
        #expect((after.id == before.id) == hasTokens)
        await two.ada.close()
        #expect(await bob.waitUntilEnded() == .closedByPeer)
        await listener.close()
    }

    @Test("after a goodbye the next session begins anew")
    func graceful() async throws {
        let two = try await TwoMessengers(reconnection: Self.quick())
        let connected = try await Connected(two)
        await connected.ada.close()
        _ = await connected.bob.waitUntilEnded()
        let again = try await two.ada.dial(
            connected.listener.address, expecting: two.bob.endpoint.identity.publicKey)
        #expect(again !== connected.ada)
        #expect(try await EventReader(again).next { $0.summary }?.isResumed == false)
        await two.ada.close()
        await connected.listener.close()
    }

    @Test("a connection on which nothing comes any more is given up, and another made")
    func keepAlive() async throws {
        let two = try await TwoMessengers(reconnection: Self.quick()) { configuration in
            configuration.keepAliveInterval = .milliseconds(100)
            configuration.keepAliveStrikes = 2
        }
        let connected = try await Connected(two) { target in
            let proxy = try await CuttingProxy.start(to: target) { number in
                // More than a handshake takes, however much it is padded, and less than the messages do.
                CuttingProxy.Fate(bytes: number == 0 ? 300_000 : .max, ending: .silent)
            }
            return proxy.address
        }
        let (adaEvents, bobEvents) = (EventReader(connected.ada), EventReader(connected.bob))
        let texts = (0..<100).map { "\($0)" + String(repeating: ".", count: 4_000) }
        for text in texts { try await connected.ada.send(text) }
        #expect(try await adaEvents.next { $0.loss }?.code == .connectionLost)
        async let delivered = bobEvents.texts(texts.count)
        let isDelivered = await connected.ada.waitUntilDelivered(for: .seconds(60))
        await two.ada.close()
        await two.bob.close()
        let end = await connected.ada.waitUntilEnded()
        #expect(isDelivered, "\(end)")
        #expect(try await delivered == texts)
        await connected.listener.close()
    }

    @Test("refusals are not final: they may come from anybody on the path")
    func refusals() async throws {
        let verifier = Doorkeeper()
        let two = try await TwoMessengers(reconnection: Self.quick(), bobVerifier: verifier)
        let connected = try await Connected(two)
        let adaEvents = EventReader(connected.ada)
        verifier.isOpen.store(false, ordering: .sequentiallyConsistent)
        try await two.bob.store.setBlocked(connected.bob.peerID, true)
        await connected.bob.session?.abandon()
        for _ in 0..<5 { #expect(try await adaEvents.next { $0.attemptFailure }?.code == .refusedByPeer) }
        try await two.bob.store.setBlocked(connected.bob.peerID, false)
        verifier.isOpen.store(true, ordering: .sequentiallyConsistent)
        #expect(try await adaEvents.next { $0.summary } != nil)
        await two.ada.close()
        await two.bob.close()
        await connected.listener.close()
    }

    @Test("somebody else at the peer's address is told of, and ends nothing: the peer is found when it is back")
    func impostor() async throws {
        let two = try await TwoMessengers(reconnection: Self.quick())
        let connected = try await Connected(two)
        let adaEvents = EventReader(connected.ada)
        await connected.listener.close()
        await connected.bob.session?.abandon()
        let other = try await TwoMessengers(reconnection: Self.quick())
        let impostor = try await other.bob.listen(on: connected.listener.address)
        for _ in 0..<4 {
            let error = try await adaEvents.next { event in
                event.attemptFailure.flatMap { $0.code == .refusedByUs ? $0 : nil }
            }
            #expect(error?.message.contains(two.bob.endpoint.identity.publicKey.fingerprint.sum) == true)
        }
        await impostor.close()
        let listener = try await two.bob.listen(on: connected.listener.address)
        #expect(try await adaEvents.next { $0.summary } != nil)
        await two.ada.close()
        await two.bob.close()
        await listener.close()
    }

    @Test("our own person's word ends it, whoever made us ask")
    func blocked() async throws {
        let two = try await TwoMessengers(reconnection: Self.quick(), adaVerifier: BlockList())
        let connected = try await Connected(two)
        try await two.ada.store.setBlocked(connected.ada.peerID, true)
        BlockList.isBlocking.store(true, ordering: .sequentiallyConsistent)
        defer { BlockList.isBlocking.store(false, ordering: .sequentiallyConsistent) }
        await connected.bob.session?.abandon()
        #expect(await connected.ada.waitUntilEnded() == .failed(KamuneError(.refusedByUs, "")))
        await two.bob.close()
        await connected.listener.close()
    }

    @Test("after so many attempts, or so long, the conversation is over", arguments: [true, false])
    func givingUp(isByCount: Bool) async throws {
        let two = try await TwoMessengers(
            reconnection: Self.quick { reconnection in
                if isByCount { reconnection.maximumAttempts = 2 } else { reconnection.patience = .milliseconds(60) }
            })
        let connected = try await Connected(two)
        let adaEvents = EventReader(connected.ada)
        await connected.listener.close()
        await connected.bob.session?.abandon()
        guard case .failed(let error) = await connected.ada.waitUntilEnded() else {
            Issue.record("it did not fail")
            return
        }
        #expect(error.code == .unreachable || error.code == .connectionLost, "\(error)")
        try await adaEvents.next { $0.end }
        let attempts = await adaEvents.seen.count { if case .reconnecting = $0 { true } else { false } }
        #expect(isByCount ? attempts == 2 : attempts > 0)
        let late = await Self.failure { () async throws(KamuneError) in try await connected.ada.send("late") }
        #expect(late?.code == .sessionEnded)
        await two.bob.close()
    }

    @Test("closing while there is no connection ends it at once, and leaves nothing running")
    func closing() async throws {
        let two = try await TwoMessengers(reconnection: Self.quick())
        var ada: Conversation? = try await Self.lost(two)
        weak let abandoned = ada
        await ada?.close()
        #expect(await ada?.waitUntilEnded() == .closedByUs)
        ada = nil
        await two.bob.close()
        let deadline = ContinuousClock.now + .seconds(60)
        while abandoned != nil, ContinuousClock.now < deadline { await Task.yield() }
        #expect(abandoned == nil)
    }

    /// Ada's conversation with a Bob who is gone.
    private static func lost(_ two: TwoMessengers) async throws -> Conversation {
        let connected = try await Connected(two)
        await connected.listener.close()
        await connected.bob.session?.abandon()
        let reader = EventReader(connected.ada)
        try await reader.next { if case .reconnecting(2, _) = $0 { true } else { nil } }
        return connected.ada
    }

    private static func failure(_ body: () async throws(KamuneError) -> some Any) async -> KamuneError? {
        await error(of: body)
    }
}

/// Lets everybody in, or nobody.
final class Doorkeeper: PeerVerifier {
    let isOpen = Atomic(true)

    func verify(_ peer: Peer) async -> Verdict {
        isOpen.load(ordering: .sequentiallyConsistent)
            ? .accept(.policy) : .refuse(reason: "The door is closed.", telling: .refused)
    }
}

/// Lets everybody in until it is told that somebody was blocked.
private struct BlockList: PeerVerifier {
    static let isBlocking = Atomic(false)

    func verify(_ peer: Peer) async -> Verdict {
        Self.isBlocking.load(ordering: .sequentiallyConsistent) ? .refuse(reason: "Blocked.") : .accept(.policy)
    }
}
