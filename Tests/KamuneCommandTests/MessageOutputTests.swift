import Foundation
import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import Synchronization
import Testing

@testable import KamuneCommand

@Suite("Where what arrives is written")
struct MessageOutputTests {
    /// What was written, until it is said that nothing more can be.
    private final class Sink: Sendable {
        private let state = Mutex<(texts: [String], isFull: Bool)>(([], false))

        var texts: [String] { state.withLock { $0.texts } }

        func fill() { state.withLock { $0.isFull = true } }

        var writing: MessageOutput.Writing {
            { messages, peers in
                self.state.withLock { state in
                    if state.isFull { return SystemError(ENOSPC) }
                    state.texts += messages.map { "\(peers.name(of: $0.contact)): \($0.text)" }
                    return nil
                }
            }
        }
    }

    private func peer(_ name: String, in store: Store) async throws -> PeerID {
        try await store.accept(try Identity.generate().publicKey, name: name, at: Date()).id
    }

    private func hear(_ text: String, from peer: PeerID, in store: Store) async throws -> MessageInfo {
        MessageInfo(
            try await store.append(
                .incoming(from: peer, body: Array(text.utf8), sent: Date(), received: Date())
            ).message)
    }

    @Test("what several peers say is written in the order in which it was stored, whoever's conversation is quicker")
    func order() async throws {
        let store = try Store.inMemory()
        let (ada, bob) = (try await peer("Ada", in: store), try await peer("Bob", in: store))
        let sink = Sink()
        let output = MessageOutput(await store.window, name: "a", put: sink.writing)
        #expect(await output.begin() == nil)
        let one = try await hear("1", from: ada, in: store)
        let two = try await hear("2", from: bob, in: store)
        try await store.append(.outgoing(to: bob, body: [0x78], at: Date()))
        let three = try await hear("3", from: ada, in: store)
        #expect(await output.write([two]) == nil)
        #expect(sink.texts == ["Ada: 1", "Bob: 2"])
        #expect(await output.write([one, three]) == nil)
        #expect(await output.write([three]) == nil)
        #expect(sink.texts == ["Ada: 1", "Bob: 2", "Ada: 3"])
        let four = try await hear("4", from: ada, in: store)
        #expect(await output.write([four]) == nil)
        await output.finish()
        #expect(sink.texts.last == "Ada: 4" && sink.texts.count == 4)
        #expect(try await store.outputPosition("a") == four.position.place)
    }

    @Test("what could not be written is written by the next one, and by nobody twice")
    func next() async throws {
        let store = try Store.inMemory()
        let ada = try await peer("Ada", in: store)
        let (first, second) = (Sink(), Sink())
        let output = MessageOutput(await store.window, name: "a", put: first.writing)
        #expect(await output.begin() == nil)
        #expect(await output.write([try await hear("1", from: ada, in: store)]) == nil)
        first.fill()
        let failure = await output.write([try await hear("2", from: ada, in: store)])
        #expect(failure == Failure(output: SystemError(ENOSPC)))
        #expect(await output.write([try await hear("3", from: ada, in: store)]) == failure)
        await output.finish()
        #expect(first.texts == ["Ada: 1"])
        let later = MessageOutput(await store.window, name: "a", put: second.writing)
        #expect(await later.begin() == nil)
        await later.finish()
        #expect(second.texts == ["Ada: 2", "Ada: 3"])
        let last = MessageOutput(await store.window, name: "a", put: second.writing)
        #expect(await last.begin() == nil)
        #expect(second.texts.count == 2)
    }

    @Test("what is not kept is written as it comes")
    func unkept() async throws {
        let store = try Store.inMemory()
        let ada = try await peer("Ada", in: store)
        let sink = Sink()
        let output = MessageOutput(await store.window, name: nil, put: sink.writing)
        let before = try await hear("before", from: ada, in: store)
        #expect(await output.begin() == nil)
        #expect(sink.texts.isEmpty)
        #expect(await output.write([try await hear("after", from: ada, in: store), before]) == nil)
        #expect(sink.texts == ["Ada: after", "Ada: before"])
        await output.finish()
    }
}
