import Synchronization
import Testing

@testable import KamuneTransport

@Suite(.timeLimit(.minutes(5)))
struct AcceptQueueTests {
    private func connection() -> (any Connection, peer: any Connection) { MemoryTransport.pair() }

    @Test func hasOnlySoManyPlaces() async throws {
        let queue = AcceptQueue(limit: 2)
        #expect(queue.reserveIfOpen())
        #expect(queue.reserveIfOpen())
        #expect(!queue.reserveIfOpen())
        queue.cancelReservation()
        #expect(queue.reserveIfOpen())
        queue.fill(connection().0)
        queue.fill(connection().0)
        #expect(!queue.reserveIfOpen())
        _ = try await queue.accept()
        #expect(queue.reserveIfOpen())
    }

    @Test func tellsOnceWhenThereIsRoomAgain() async throws {
        let queue = AcceptQueue(limit: 1)
        let counter = Counter()
        #expect(!queue.isFull(for: queue) { counter.increment() })
        queue.reserve()
        queue.fill(connection().0)
        #expect(queue.isFull(for: queue) { counter.increment() })
        #expect(counter.value == 0)
        _ = try await queue.accept()
        #expect(counter.value == 1)
        queue.reserve()
        queue.cancelReservation()
        #expect(counter.value == 1)
    }

    @Test func handsOverInOrderAndToWhoeverWaits() async throws {
        let queue = AcceptQueue(limit: 4)
        let pairs = (0..<3).map { _ in connection() }
        for pair in pairs {
            queue.reserve()
            queue.fill(pair.0)
        }
        for pair in pairs {
            let accepted = try #require(try await queue.accept())
            try await pair.peer.send(frame: [1])
            #expect(try await accepted.receive() == [[1]])
        }
        async let accepted = queue.accept()
        queue.reserve()
        queue.fill(connection().0)
        #expect(try await accepted != nil)
    }

    @Test func aCancelledWaiterLosesNoConnection() async throws {
        let queue = AcceptQueue(limit: 4)
        for _ in 0..<200 {
            let waiting = Task { try await queue.accept() }
            queue.reserve()
            async let filled: Void = queue.fill(connection().0)
            waiting.cancel()
            await filled
            do {
                #expect(try await waiting.value != nil)
            } catch {
                #expect(error as? TransportError == .cancelled)
                #expect(try await queue.accept() != nil)
            }
            #expect(!queue.isFull(for: queue) {})
        }
        // Every place is free again.
        for _ in 0..<4 { #expect(queue.reserveIfOpen()) }
    }

    @Test func tellsOnceThatTheSystemHasNoMore() async throws {
        let queue = AcceptQueue(limit: 4)
        queue.exhausted()
        queue.exhausted()
        await #expect(throws: TransportError.tooManyOpenFiles) { try await queue.accept() }
        async let accepted = queue.accept()
        await Task.yield()
        queue.reserve()
        queue.fill(connection().0)
        #expect(try await accepted != nil)
        // Whoever was let in meanwhile shows that there is room again.
        queue.exhausted()
        queue.reserve()
        queue.fill(connection().0)
        #expect(try await queue.accept() != nil)
        queue.close()
        #expect(try await queue.accept() == nil)
    }

    private static func isClosed(_ queue: AcceptQueue) async -> Result<Bool, TransportError> {
        do throws(TransportError) {
            return .success(try await queue.accept() == nil)
        } catch {
            return .failure(error)
        }
    }

    @Test func onlyOneMayWait() async throws {
        let queue = AcceptQueue(limit: 1)
        await withTaskGroup(of: Result<Bool, TransportError>.self) { group in
            for _ in 0..<2 { group.addTask { await Self.isClosed(queue) } }
            #expect(await group.next() == .failure(.concurrentReceive))
            queue.close()
            #expect(await group.next() == .success(true))
        }
    }

    @Test func closingAbortsWhatNobodyAccepted() async throws {
        let queue = AcceptQueue(limit: 4)
        let (early, earlyPeer) = connection()
        let (late, latePeer) = connection()
        queue.reserve()
        queue.fill(early)
        queue.reserve()
        queue.close()
        queue.fill(late)
        for peer in [earlyPeer, latePeer] {
            await #expect(throws: TransportError.reset) { try await peer.receive() }
        }
        #expect(try await queue.accept() == nil)
        #expect(!queue.reserveIfOpen())
    }
}

/// A number that tasks share.
final class Counter: Sendable {
    private let number = Atomic(0)
    var value: Int { number.load(ordering: .sequentiallyConsistent) }
    func increment() { number.wrappingAdd(1, ordering: .sequentiallyConsistent) }
}
