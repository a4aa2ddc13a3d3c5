import DequeModule
import KamuneTransport
import Synchronization

/// A bounded queue between tasks that fill it and tasks that empty it.
///
/// Elements are added at once; a producer then waits until there is room again, so a slow consumer slows it down. The
/// queue lives outside any actor, so taking an element that is there costs a lock and no suspension.
///
/// What is bounded is the sum of the elements' sizes: bytes, where it is the peer who fills it. They also count in the
/// budget of the session that brought them, until they are taken.
final class Mailbox<Element: Sendable>: Sendable {
    private struct Entry {
        let element: Element
        let size: Int
        let budget: MemoryBudget?
    }

    private struct State {
        var entries: Deque<Entry> = []
        /// The sum of the sizes.
        var size = 0
        var end: Result<Void, KamuneError>?
        var consumers: [(id: UInt64, continuation: CheckedContinuation<Element?, any Error>)] = []
        var producers: [(id: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
        var nextID: UInt64 = 0
        var isUnlimited = false

        mutating func takeProducers() -> [CheckedContinuation<Void, Never>] {
            defer { producers = [] }
            return producers.map(\.continuation)
        }

        mutating func popFirst() -> Element? {
            guard let entry = entries.popFirst() else { return nil }
            // Many conversations are at rest most of the time, and each has a few of these.
            if entries.isEmpty { entries = [] }
            size -= entry.size
            entry.budget?.remove(entry.size)
            return entry.element
        }

        /// Whether a producer has to wait. With nothing in the queue none has, whatever else the budget is full of: what is
        /// taken elsewhere wakes nobody here.
        func isFull(limit: Int) -> Bool {
            guard end == nil, !isUnlimited, let last = entries.last else { return false }
            return size >= limit || last.budget?.hasRoom == false
        }
    }

    private let state = Mutex(State())
    private let limit: Int

    /// - Parameter limit: The sum of the elements' sizes at which the producer waits.
    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    deinit {
        state.withLock { state in
            for entry in state.entries { entry.budget?.remove(entry.size) }
        }
    }

    /// Adds an element, or drops it when the mailbox is finished.
    ///
    /// - Parameters:
    ///   - size: What it counts, at least 1.
    ///   - budget: Where that is held besides, until the element is taken.
    func add(_ element: Element, size: Int = 1, in budget: MemoryBudget? = nil) {
        add(CollectionOfOne(element), size: { _ in size }, in: budget)
    }

    /// Adds elements in this order, or drops them when the mailbox is finished. Whoever waits is woken once, and finds all of
    /// them: being woken costs more than taking what is there.
    ///
    /// - Parameters:
    ///   - size: What each counts, at least 1.
    ///   - budget: Where that is held besides, until the elements are taken.
    func add(_ new: some Collection<Element>, size: (Element) -> Int, in budget: MemoryBudget? = nil) {
        typealias Delivery = (consumer: CheckedContinuation<Element?, any Error>, element: Element)
        let deliveries = state.withLock { state -> [Delivery] in
            guard state.end == nil else { return [] }
            var deliveries: [Delivery] = []
            var added = 0
            for element in new {
                if !state.consumers.isEmpty {
                    deliveries.append((state.consumers.removeFirst().continuation, element))
                    continue
                }
                let size = size(element)
                added += size
                state.entries.append(Entry(element: element, size: size, budget: budget))
            }
            if added > 0 { budget?.add(added) }
            state.size += added
            return deliveries
        }
        for (consumer, element) in deliveries { consumer.resume(returning: element) }
    }

    /// How many elements wait.
    var count: Int { state.withLock { $0.entries.count } }

    /// Whether the producer has to wait.
    var isFull: Bool { state.withLock { $0.isFull(limit: limit) } }

    /// Waits until there is room, or nobody takes anything any more.
    func waitForRoom() async {
        let id = nextID()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isFree = state.withLock { state in
                    if !state.isFull(limit: limit) || Task.isCancelled { return true }
                    state.producers.append((id, continuation))
                    return false
                }
                if isFree { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                state.producers.firstIndex { $0.id == id }.map { state.producers.remove(at: $0).continuation }
            }
            continuation?.resume()
        }
    }

    /// Makes no producer wait any more, because nobody may take anything any more.
    func liftLimit() {
        let producers = state.withLock { state in
            state.isUnlimited = true
            return state.takeProducers()
        }
        for producer in producers { producer.resume() }
    }

    private func nextID() -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    /// Ends the queue: what is in it can still be taken, then comes nil or the error. Only the first call counts.
    func finish(throwing error: KamuneError? = nil) {
        typealias Waiting = (
            consumers: [CheckedContinuation<Element?, any Error>], producers: [CheckedContinuation<Void, Never>]
        )
        let (consumers, producers) = state.withLock { state -> Waiting in
            guard state.end == nil else { return ([], []) }
            state.end = error.map { .failure($0) } ?? .success(())
            let consumers = state.consumers.map(\.continuation)
            state.consumers = []
            return (consumers, state.takeProducers())
        }
        for producer in producers { producer.resume() }
        for (index, consumer) in consumers.enumerated() {
            // One of them hears of the error, as one caller would who came later.
            if index == 0, let error { consumer.resume(throwing: error) } else { consumer.resume(returning: nil) }
        }
        if error != nil, !consumers.isEmpty { state.withLock { $0.end = .success(()) } }
    }

    /// The next element, waiting for it; nil at the end.
    ///
    /// - Throws: The error that the queue was ended with, once; ``KamuneError/Code/cancelled`` when the task is cancelled
    ///   while it waits.
    nonisolated(nonsending) func next() async throws(KamuneError) -> Element? {
        if let element = takeReady(atMost: 1).first { return element }
        return try await wait()
    }

    /// What is there, waiting for something if there is nothing; nil at the end. Throws as ``next()`` does.
    ///
    /// - Parameter limit: At most so many, 1 or more.
    func nextBatch(atMost limit: Int) async throws(KamuneError) -> [Element]? {
        let ready = takeReady(atMost: limit)
        if !ready.isEmpty { return ready }
        guard let first = try await wait() else { return nil }
        return limit > 1 ? [first] + takeReady(atMost: limit - 1) : [first]
    }

    /// What is there, without waiting for more.
    ///
    /// - Parameter limit: At most so many, 1 or more.
    func takeReady(atMost count: Int) -> [Element] {
        let ready = state.withLock { state -> (elements: [Element], producers: [CheckedContinuation<Void, Never>]) in
            var elements: [Element] = []
            while elements.count < count, let element = state.popFirst() { elements.append(element) }
            // Half has to be free, so that the producer does not come for each element.
            let isFree = state.size <= limit / 2 && !state.isFull(limit: limit)
            return (elements, isFree ? state.takeProducers() : [])
        }
        for producer in ready.producers { producer.resume() }
        return ready.elements
    }

    private enum Immediate {
        case element(Element)
        case end(Result<Void, KamuneError>)
        case cancelled
        case waiting
    }

    nonisolated(nonsending) private func wait() async throws(KamuneError) -> Element? {
        let id = nextID()
        do {
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    let immediate = state.withLock { state -> Immediate in
                        if let element = state.popFirst() { return .element(element) }
                        if let end = state.end {
                            state.end = .success(())
                            return .end(end)
                        }
                        if Task.isCancelled { return .cancelled }
                        state.consumers.append((id, continuation))
                        return .waiting
                    }
                    switch immediate {
                    case .element(let element): continuation.resume(returning: element)
                    case .end(.success): continuation.resume(returning: nil)
                    case .end(.failure(let error)): continuation.resume(throwing: error)
                    case .cancelled: continuation.resume(throwing: KamuneError.cancellation)
                    case .waiting: break
                    }
                }
            } onCancel: {
                let continuation = state.withLock { state in
                    state.consumers.firstIndex { $0.id == id }.map { state.consumers.remove(at: $0).continuation }
                }
                continuation?.resume(throwing: KamuneError.cancellation)
            }
        } catch let error as KamuneError {
            throw error
        } catch {
            throw KamuneError(.system, "An unexpected error occurred.", cause: error)
        }
    }
}
