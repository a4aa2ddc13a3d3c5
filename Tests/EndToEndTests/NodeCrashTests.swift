import Foundation
import Kamune
import KamuneCrypto
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTestKit
import Synchronization
import Testing

@Suite("A node that is killed while others look through it")
struct NodeCrashTests {
    private static let clients = 10
    private static let rounds = 25

    /// What one client was told that is done, and what it asked for since without an answer, which may be done or not.
    private struct Work {
        var messages: [MessageName: String] = [:]
        var order: [MessageName] = []
        var name: String?
        var pendingNames: Set<String> = []
    }

    /// Kills the process when so many answers have come, whichever client gets the last of them.
    private final class Executioner: Sendable {
        private let left: Mutex<Int>
        private let child: Child

        init(_ child: Child, after count: Int) {
            self.child = child
            left = Mutex(count)
            if count == 0 { child.send(signal: SIGKILL) }
        }

        func count() {
            let isTime = left.withLock { left in
                left -= 1
                return left == 0
            }
            if isTime { child.send(signal: SIGKILL) }
        }
    }

    private func work(
        _ contact: ContactID, _ label: String, at location: StoreLocation, since former: Work,
        _ executioner: Executioner
    ) async throws -> Work {
        var work = former
        // Killed before anybody was let in, or later: both end in the same way.
        guard let node = try await RemoteNode.connect(to: location) else { return work }
        do throws(NodeError) {
            for number in 0..<1_000 {
                let text = "\(label).\(number)"
                let sent = try await node.ask(SendMessages(to: contact, text: text))
                for message in sent.messages {
                    work.messages[message.id] = text
                    work.order.append(message.id)
                }
                executioner.count()
                work.pendingNames.insert("Contact \(text)")
                let renamed = try await node.ask(RenameContact(contact, to: "Contact \(text)"))
                (work.name, work.pendingNames) = (renamed.ownName, [])
                executioner.count()
                // What was acknowledged is there for whoever asks next, too.
                let page = try await node.ask(GetMessages(with: contact, limit: 1))
                #expect(page.messages.first?.id == work.order.last)
                executioner.count()
            }
            Issue.record("nobody has killed the node")
        } catch {
            #expect(error.code == .nodeGone, "\(error)")
        }
        await node.close()
        return work
    }

    @Test("nothing that it has acknowledged is missing afterwards", .timeLimit(.minutes(5)))
    func killed() async throws {
        let home = try Home()
        let location = StoreLocation(path: home.storeFile)
        let store = try await Store.create(at: location, credential: .unprotected)
        var contacts: [ContactID] = []
        for number in 0..<Self.clients {
            let key = try Identity.generate().publicKey
            contacts.append(ContactID(try await store.accept(key, name: "Contact \(number)", at: Date()).id))
        }
        try await store.close()
        var done = [Work](repeating: Work(), count: Self.clients)
        var random = SeededRandom(12)
        for round in 0..<Self.rounds {
            let listening = try await Listening(home: home)
            let executioner = Executioner(listening.child, after: Int(random.next() % 150))
            done = try await withThrowingTaskGroup(of: (Int, Work).self) { group in
                for (index, contact) in contacts.enumerated() {
                    let former = done[index]
                    group.addTask {
                        let label = "\(round)/\(index)"
                        return (index, try await self.work(contact, label, at: location, since: former, executioner))
                    }
                }
                var results = done
                for try await (index, work) in group { results[index] = work }
                return results
            }
            await listening.child.expectExit(137)
            try await check(done, contacts, at: location)
        }
        #expect(done.reduce(0) { $0 + $1.order.count } > Self.rounds)
    }

    private func check(_ done: [Work], _ contacts: [ContactID], at location: StoreLocation) async throws {
        let node = Node(store: try await Store.open(at: location, credential: .unprotected))
        let window = await LocalNode.open(node)
        for (work, contact) in zip(done, contacts) {
            var found: [MessageInfo] = []
            var place: Position?
            repeat {
                let page = try await window.ask(GetMessagesForward(with: contact, after: place))
                found += page.messages
                place = page.next
            } while place != nil
            // In the order in which they were acknowledged, and no word of it changed; more may be there.
            let acknowledged = found.filter { work.messages[$0.id] != nil }
            #expect(acknowledged.map(\.id) == work.order)
            for message in acknowledged { #expect(message.text == work.messages[message.id]) }
            #expect(Set(found.map(\.id)).count == found.count)
            let name = try await window.ask(GetContact(contact)).contact.ownName
            #expect(name == work.name || name.map(work.pendingNames.contains) == true)
        }
        await window.close()
        await node.close()
    }
}
