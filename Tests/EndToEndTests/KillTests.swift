import Foundation
import KamuneTestKit
import Testing

@Suite("Processes that are killed")
struct KillTests {
    private enum Victim: CaseIterable {
        case dialer, listener, both
    }

    /// A message as `history export --format jsonl` has it.
    private struct Exported: Decodable, Equatable {
        let id: String
        let direction: String
        let state: String
        let text: String
    }

    private func messages(_ home: Home) async throws -> [Exported] {
        let child = try Child(["history", "export", "1", "--format", "jsonl"], home: home)
        child.closeInput()
        await child.expectExit(0)
        let decoder = JSONDecoder()
        return try child.output.raw.split(separator: "\n").map {
            try decoder.decode(Exported.self, from: Data($0.utf8))
        }
    }

    /// Checks what each side has of the other's messages.
    ///
    /// - Returns: Whether everything has arrived.
    private func check(_ ada: Home, _ bob: Home) async throws -> Bool {
        let (atAda, atBob) = (try await messages(ada), try await messages(bob))
        var isComplete = true
        for (sender, receiver) in [(atAda, atBob), (atBob, atAda)] {
            let sent = sender.filter { $0.direction == "out" }
            let received = receiver.filter { $0.direction == "in" }
            // In order, none doubled, none missing in between.
            #expect(received.map(\.id) == sent.prefix(received.count).map(\.id))
            #expect(received.map(\.text) == sent.prefix(received.count).map(\.text))
            #expect(Set(sent.map(\.id)).count == sent.count)
            // What counts as delivered has arrived.
            let lastDelivered = sent.lastIndex { $0.state == "delivered" } ?? -1
            #expect(lastDelivered < received.count)
            #expect(sent.allSatisfy { ["delivered", "waiting"].contains($0.state) })
            isComplete = isComplete && received.count == sent.count
        }
        return isComplete
    }

    @Test(
        "whenever either is killed, nothing acknowledged is missing, and nothing is doubled", .timeLimit(.minutes(10)))
    func killedAtAnyInstant() async throws {
        let rounds = 150
        let lines = 30
        let (ada, bob) = (try Home(), try Home())
        var random = SeededRandom(7)
        for round in 0..<rounds {
            let listening = try await Listening(["--verify", "all", "--reconnect", "0", "--name", "Bob"], home: bob)
            let dial = try Child(
                ["dial", listening.address, "--verify", "all", "--reconnect", "0", "--name", "Ada"], home: ada)
            for (child, name) in [(dial, "Ada"), (listening.child, "Bob")] {
                // Some at once and some one by one, so that bursts and single messages are cut off alike.
                let text = (0..<lines).map { "\(name) \(round).\($0)\n" }
                child.write(text.prefix(lines / 2).joined())
                for line in text.dropFirst(lines / 2) { child.write(line) }
            }
            // From before the handshake until everything has arrived.
            let moment = Int(random.next() % UInt64(lines + 5))
            let watched = random.chance(0.5) ? dial : listening.child
            if moment >= 5 {
                let other = watched === dial ? "Bob" : "Ada"
                await watched.expect("\(other) \(round).\(moment - 5)\n")
            }
            let victim = Victim.allCases[Int(random.next() % 3)]
            if victim != .listener { dial.send(signal: SIGKILL) }
            if victim != .dialer { listening.child.send(signal: SIGKILL) }
            dial.closeInput()
            // Before anybody has come, the listener waits for the next.
            listening.child.send(signal: SIGTERM)
            #expect(await dial.exitCode() != nil)
            #expect(await listening.child.exitCode() != nil)
            if round % 10 == 9 { _ = try await check(ada, bob) }
        }
        // Then they meet undisturbed, until everything has arrived.
        var isComplete = false
        for _ in 0..<10 where !isComplete {
            let listening = try await Listening(["--verify", "all", "--name", "Bob"], home: bob)
            let dial = try Child(
                ["dial", listening.address, "--verify", "all", "--name", "Ada", "--linger", "0.5"], home: ada)
            dial.write("the end\n")
            dial.closeInput()
            await dial.expectExit(0)
            listening.child.closeInput()
            await listening.child.expectExit(0)
            isComplete = try await check(ada, bob)
        }
        #expect(isComplete)
    }
}
