import Dispatch
import KamuneProtocol
import KamuneStore
import KamuneTransport
import Synchronization
import Testing

@testable import Kamune

/// What peers make us hold, by the accounts of the budgets.
@Suite("Memory that peers may hold")
struct MemoryTests {
    private static let payload = [UInt8](repeating: 7, count: 60_000)

    /// Beyond its limit a session holds what one step of each of its parts brings, each up to a frame or two: a frame that
    /// has arrived in part, what was read with it, frames that are being opened, a message, and over UDP KCP's least window.
    private static let step = 6 * 65_536

    private func expectMessage(of payload: [UInt8], from messages: inout Messages.AsyncIterator) async throws {
        let message = try await messages.next()
        #expect(message?.bytes == payload)
    }

    @Test("strangers whose messages nobody takes wait, together within the pool, and then all of it arrives")
    func strangers() async throws {
        let pool = MemoryPool(limit: 16 << 20)
        let count = 20
        let messages = 40
        let ada = try TestEndpoints.make(name: "Ada")
        let bob = try TestEndpoints.make(name: "Bob") { $0.strangers = pool }
        let listener = try await bob.listen(on: "127.0.0.1:0")
        var pairs: [SessionPair] = []
        for _ in 0..<count {
            async let accepted = SessionPair.first(of: listener)
            let dialed = try await ada.dial(listener.address)
            pairs.append(SessionPair(initiator: dialed, responder: try #require(try await accepted)))
        }
        let sent = try await withThrowingTaskGroup(of: Int.self) { group in
            for pair in pairs {
                group.addTask {
                    for _ in 0..<messages {
                        try await pair.initiator.send(Self.payload)
                        #expect(pool.held <= pool.limit)
                    }
                    return messages
                }
            }
            // Nobody takes anything until as much is held as may be.
            while pool.held < pool.limit / 2 { await Task.yield() }
            for pair in pairs {
                group.addTask {
                    var received = pair.responder.messages.makeAsyncIterator()
                    for _ in 0..<messages {
                        try await expectMessage(of: Self.payload, from: &received)
                        #expect(pool.held <= pool.limit)
                    }
                    return 0
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sent == count * messages)
        for pair in pairs { await pair.close() }
        await listener.close()
        pairs = []
        while pool.held > 0 { await Task.yield() }
    }

    @Test(
        "what is held for whom somebody knows does not count among what is held for strangers", .timeLimit(.minutes(5)))
    func acquaintances() async throws {
        for grounds in AcceptanceGrounds.allCases {
            let pool = MemoryPool(limit: 16 << 20)
            let bob = try TestEndpoints.make(name: "Bob", verifier: AskingVerifier { _ in .accept(grounds) }) {
                $0.strangers = pool
            }
            let pair = try await SessionPair.connect(TestEndpoints.make(name: "Ada"), bob, over: .tcp)
            try await pair.initiator.send(Self.payload)
            let inbox = pair.responder.core.inbox
            while inbox.count == 0 { await Task.yield() }
            #expect((pool.held >= Self.payload.count) == (grounds == .policy), "\(grounds)")
            await pair.close()
        }
    }

    @Test("one session holds no more than its limit", .timeLimit(.minutes(5)), arguments: SessionPair.Medium.allCases)
    func session(medium: SessionPair.Medium) async throws {
        let limit = 1 << 20
        let ada = try TestEndpoints.make(name: "Ada")
        let bob = try TestEndpoints.make(name: "Bob") { $0.maximumHeldBytes = limit }
        let pair = try await SessionPair.connect(ada, bob, over: medium)
        let budget = pair.responder.core.budget
        let count = 60
        let sending = Task {
            for _ in 0..<count { try await pair.initiator.send(Self.payload) }
        }
        while budget.hasRoom, pair.responder.core.inbox.count < 16 { await Task.yield() }
        var received = pair.responder.messages.makeAsyncIterator()
        for _ in 0..<count {
            #expect(budget.held <= budget.limit + Self.step)
            try await expectMessage(of: Self.payload, from: &received)
        }
        try await sending.value
        await pair.close()
    }

    @Test("small messages count with what surrounds them", .timeLimit(.minutes(5)))
    func smallMessages() async throws {
        let bob = try TestEndpoints.make(name: "Bob") { $0.maximumHeldBytes = 64 << 10 }
        let pair = try await SessionPair.connect(TestEndpoints.make(name: "Ada"), bob, over: .tcp)
        let count = 2_000
        let sending = Task {
            for _ in 0..<count { try await pair.initiator.send([]) }
        }
        let inbox = pair.responder.core.inbox
        while !inbox.isFull { await Task.yield() }
        #expect(inbox.count <= 64 << 10 / 256)
        var received = pair.responder.messages.makeAsyncIterator()
        for _ in 0..<count { try await expectMessage(of: [], from: &received) }
        try await sending.value
        await pair.close()
    }

    @Test("pings to a peer that reads nothing hold one answer, and are answered when it reads", .timeLimit(.minutes(5)))
    func pings() async throws {
        let ada = try TestEndpoints.make(name: "Ada")
        let bob = try TestEndpoints.make(name: "Bob") { $0.maximumHeldBytes = 128 << 10 }
        let pair = try await SessionPair.connect(ada, bob, over: .memory)
        // Ada takes no messages, so she stops reading, and Bob's answers find no room.
        let flood = Task {
            for _ in 0..<60 { try await pair.responder.send(Self.payload) }
        }
        while !pair.initiator.core.inbox.isFull { await Task.yield() }
        let pings = Task {
            try await withThrowingTaskGroup(of: Duration.self) { group in
                for _ in 0..<40 { group.addTask { try await pair.initiator.ping() } }
                return try await group.reduce(into: 0) { count, _ in count += 1 }
            }
        }
        var received = pair.initiator.messages.makeAsyncIterator()
        for _ in 0..<60 { try await expectMessage(of: Self.payload, from: &received) }
        try await flood.value
        #expect(try await pings.value == 40)
        #expect(pair.responder.core.budget.held <= 65_536)
        await pair.close()
    }

    @Test(
        "what a conversation has read and not stored yet counts until the application has it", .timeLimit(.minutes(5)))
    func unstored() async throws {
        let two = try await TwoMessengers()
        let (ada, bob, sessions) = try await two.connect()
        let reader = EventReader(bob)
        try await ada.send("first")
        _ = try await reader.texts(1)

        let isBlocked = Atomic(false)
        let unblock = DispatchSemaphore(value: 0)
        let blocking = Task {
            try await two.bob.store.write { _ in
                isBlocked.store(true, ordering: .relaxed)
                unblock.wait()
            }
        }
        while !isBlocked.load(ordering: .relaxed) { await Task.yield() }
        let count = 20
        try await ada.send(contentsOf: Array(repeating: Self.payload, count: count))
        // The first one too: that it was taken is not told of yet.
        while await bob.machine.load.messages < count + 1 { await Task.yield() }
        let budget = sessions.responder.core.budget
        #expect(budget.held >= count * Self.payload.count)
        unblock.signal()
        try await blocking.value
        var taken = 0
        while taken < count, try await reader.next(where: { $0.text }) != nil { taken += 1 }
        while budget.held > 0 { await Task.yield() }
        await ada.close()
    }
}
