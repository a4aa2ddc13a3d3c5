import Kamune
import Synchronization

/// Hands events to whoever looks through the node. It never waits: a client who does not keep up is told that it has missed
/// something.
final class EventHub: Sendable {
    private let clients = Mutex<[Int: NodeClient]>([:])

    func add(_ client: NodeClient) {
        clients.withLock { $0[client.number] = client }
    }

    func remove(_ client: NodeClient) {
        _ = clients.withLock { $0.removeValue(forKey: client.number) }
    }

    /// How many clients there are.
    var count: Int { clients.withLock { $0.count } }

    /// A client by its number.
    func client(_ number: Int) -> NodeClient? { clients.withLock { $0[number] } }

    /// Tells all clients who want to know.
    ///
    /// - Parameter sender: Who knows already.
    func publish(_ events: [NodeEvent], except sender: NodeClient? = nil) {
        let clients = clients.withLock { Array($0.values) }
        let shared = SharedEvents(events)
        for client in clients where client !== sender { client.deliver(shared) }
    }

    /// Waits until those who must have it before more may come have taken what they were told.
    func waitUntilTaken() async {
        for client in clients.withLock({ Array($0.values) }) { await client.waitUntilTaken() }
    }
}

/// Events that go to several clients: what each of them needs to be written for the wire is done once.
final class SharedEvents: Sendable {
    let events: [NodeEvent]
    private let lines: Mutex<[Int: [UInt8]]> = Mutex([:])

    init(_ events: [NodeEvent]) {
        self.events = events
    }

    /// The line of an event.
    func line(at index: Int) -> [UInt8] {
        if let line = lines.withLock({ $0[index] }) { return line }
        let line = NodeLine.event(events[index])
        lines.withLock { $0[index] = line }
        return line
    }
}
