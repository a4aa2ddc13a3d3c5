import KamuneSystem
import NIOCore
import NIOPosix
import Testing

@testable import KamuneTransport

@Suite(.timeLimit(.minutes(5)))
struct OneShotTests {
    @Test func onlyTheFirstResultCounts() async throws {
        let shot = OneShot<Int>()
        #expect(shot.resolve(.success(1)))
        #expect(!shot.resolve(.success(2)))
        #expect(!shot.resolve(.failure(.reset)))
        #expect(try await shot.wait() == 1)
        #expect(!shot.resolve(.success(3)))
    }

    @Test func wakesWhoeverWaits() async throws {
        let shot = OneShot<Int>()
        let waiting = Task { try await shot.wait() }
        await Task.yield()
        #expect(shot.resolve(.failure(.reset)))
        await #expect(throws: TransportError.reset) { try await waiting.value }
    }

    @Test func cancellingResolves() async throws {
        for _ in 0..<100 {
            let shot = OneShot<Int>()
            let task = Task { try await shot.wait() }
            task.cancel()
            let first = shot.resolve(.success(1))
            do {
                #expect(try await task.value == 1)
                #expect(first)
            } catch {
                #expect(error as? TransportError == .cancelled)
                #expect(!first)
            }
        }
    }

    @Test func waitingRegardlessIgnoresCancelling() async throws {
        let shot = OneShot<Int>()
        let task = Task { await shot.waitRegardless() }
        task.cancel()
        #expect(shot.resolve(.success(1)))
        #expect(await task.value == .success(1))
    }
}

struct WaitingSendersTests {
    /// Queues senders whose tickets are given; each is resumed in the end.
    private func withSenders(_ tickets: [UInt64], _ body: (inout WaitingSenders) throws -> Void) async throws {
        var all: [WaitingSender] = []
        let tasks = AsyncStream<WaitingSender>.makeStream()
        let suspended = tickets.map { ticket in
            Task {
                await withCheckedContinuation { continuation in
                    tasks.continuation.yield(WaitingSender(ticket: ticket, frames: [], continuation: continuation))
                }
            }
        }
        for await sender in tasks.stream {
            all.append(sender)
            if all.count == tickets.count { break }
        }
        all.sort { $0.ticket < $1.ticket }
        var senders = WaitingSenders()
        for sender in all { senders.append(sender) }
        defer { for sender in all { sender.continuation.resume(returning: nil) } }
        try body(&senders)
        withExtendedLifetime(suspended) {}
    }

    @Test func comeOutInOrderAlsoWhenThereAreMany() async throws {
        try await withSenders(Array(0..<150)) { senders in
            #expect(senders.waitingSince != nil)
            for ticket in UInt64(0)..<150 { #expect(senders.popFirst()?.ticket == ticket) }
            #expect(senders.isEmpty)
            #expect(senders.popFirst() == nil)
            #expect(senders.waitingSince == nil)
        }
    }

    @Test func anyCanBeRemoved() async throws {
        try await withSenders(Array(0..<100)) { senders in
            for ticket in UInt64(0)..<40 { #expect(senders.popFirst()?.ticket == ticket) }
            #expect(senders.remove(39) == nil, "it is gone already")
            #expect(senders.remove(40)?.ticket == 40)
            #expect(senders.remove(99)?.ticket == 99)
            #expect(senders.remove(70)?.ticket == 70)
            #expect(senders.remove(70) == nil)
            #expect(senders.popFirst()?.ticket == 41)
            #expect(senders.removeAll().map(\.ticket) == Array(42..<70) + Array(71..<99))
            #expect(senders.isEmpty)
        }
    }
}

@Suite(.timeLimit(.minutes(5)))
struct TransportTimerTests {
    @Test func looksWhenItSaidUntilItSaysNever() async throws {
        let timer = TransportTimer(eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let looks = Counter()
        let done = OneShot<Void>()
        timer.start(after: .milliseconds(1)) { now in
            looks.increment()
            if looks.value < 3 { return now + .milliseconds(1) }
            done.resolve(.success(()))
            return nil
        }
        try await done.wait()
        #expect(looks.value == 3)
    }

    @Test func stoppingEndsTheLooks() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let timer = TransportTimer(eventLoop: eventLoop)
        let looks = Counter()
        timer.start(after: .hours(1)) { _ in
            looks.increment()
            return nil
        }
        timer.stop()
        timer.start(after: .nanoseconds(0)) { _ in
            looks.increment()
            return nil
        }
        // What the event loop was given before this has been done after it.
        try await eventLoop.submit {}.get()
        #expect(looks.value == 0)
    }

    @Test(
        arguments: [
            (Duration.seconds(-1), TimeAmount.zero),
            (.nanoseconds(-1), .zero),
            (.zero, .zero),
            (.milliseconds(1_500), .milliseconds(1_500)),
            (.seconds(Int64.max), .practicallyForever),
            (nil, .practicallyForever),
        ] as [(Duration?, TimeAmount)])
    func durationsAreClamped(duration: Duration?, expected: TimeAmount) {
        #expect(TimeAmount(clamping: duration) == expected)
        #expect(NIODeadline.now() + TimeAmount(clamping: duration) >= NIODeadline.now() - .seconds(1))
    }
}

struct FramePipeTests {
    @Test func emptyFramesFillItToo() {
        let pipe = FramePipe(limit: 4_800)
        #expect(pipe.offer([[UInt8]](repeating: [], count: 99)))
        #expect(!pipe.offer([[]]))
        #expect(pipe.isFull)
    }

    @Test func saysOnceThatThereIsRoomAgain() async throws {
        let pipe = FramePipe(limit: 100)
        let room = Counter()
        #expect(!pipe.offer([[UInt8](repeating: 0, count: 100)]))
        #expect(!pipe.offer([[1]]))
        #expect(try await pipe.receive(onRoom: room.increment)?.count == 2)
        #expect(room.value == 1)
        #expect(pipe.offer([[1]]))
        #expect(try await pipe.receive(onRoom: room.increment) == [[1]])
        #expect(room.value == 1)
    }

    @Test func aFullBudgetLeavesRoomOnlyWhereNothingWaits() async throws {
        let budget = MemoryBudget(limit: 1_000)
        let pipe = FramePipe(limit: 10_000, budget: budget)
        budget.add(1_000)
        #expect(!pipe.isFull)
        #expect(!pipe.offer([[1]]))
        #expect(pipe.isFull && budget.held > 1_000)
        budget.remove(1_000)
        #expect(!pipe.isFull && pipe.offer([[2]]))
        #expect(try await pipe.receive() == [[1], [2]])
        #expect(budget.held == 0)
        _ = pipe.offer([[3]])
        pipe.fail(.closedLocally, discarding: true)
        #expect(budget.held == 0)
    }

    @Test func theFirstEndingCountsUnlessFramesAreDropped() async throws {
        let pipe = FramePipe(limit: 100)
        _ = pipe.offer([[1]])
        pipe.finish(refusing: .closedLocally)
        pipe.fail(.reset)
        #expect(pipe.offer([[2]]), "what comes after the end is dropped, not hoarded")
        #expect(try await pipe.receive() == [[1]])
        #expect(try await pipe.receive() == nil)
        pipe.fail(.closedLocally, discarding: true)
        await #expect(throws: TransportError.closedLocally) { try await pipe.receive() }
        await #expect(throws: TransportError.closedLocally) { try await pipe.send([[3]]) }
    }
}

struct OutboxTests {
    @Test func aFullBudgetLeavesRoomOnlyWhereNothingWaits() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        let outbox = Outbox(limit: 1 << 20, budget: budget)
        budget.add(1 << 20)
        #expect(!outbox.isFull)
        let flushes = Counter()
        try outbox.enqueue([[1]], flush: flushes.increment)
        #expect(outbox.isFull && flushes.value == 1)
        budget.remove(1 << 20)
        #expect(!outbox.isFull)
        // Counted is the memory, which is more than what is in it.
        #expect(budget.held >= 128 * 1024)
        let buffer = try #require(outbox.take())
        #expect(buffer.readableBytes == 3 && budget.held >= 128 * 1024)
        #expect(!outbox.wrote())
        #expect(budget.held == 0)
        try outbox.enqueue([[2]], flush: flushes.increment)
        outbox.fail(.closedLocally)
        #expect(budget.held == 0)
    }
}

struct TransportErrorTests {
    @Test func systemErrorsAreTranslated() {
        let address = Address(host: "192.0.2.1", port: 9)
        func dialing(_ code: CInt) -> TransportError {
            TransportError(dialing: address, IOError(errnoCode: code, reason: ""))
        }
        #expect(dialing(ECONNREFUSED) == .refused(address: "192.0.2.1:9"))
        #expect(dialing(ETIMEDOUT) == .timedOut(.connect))
        #expect(dialing(EACCES) == .permissionDenied(address: "192.0.2.1:9"))
        #expect(dialing(EMFILE) == .tooManyOpenFiles)
        #expect(dialing(ENFILE) == .tooManyOpenFiles)
        for code in [EHOSTUNREACH, ENETUNREACH, EAFNOSUPPORT] {
            guard case .unreachable("192.0.2.1:9", let reason) = dialing(code) else {
                Issue.record("\(dialing(code))")
                continue
            }
            #expect(!reason.isEmpty)
        }
        #expect(TransportError(dialing: address, ChannelError.connectTimeout(.seconds(1))) == .timedOut(.connect))
        let listening = TransportError(listeningOn: address, IOError(errnoCode: EADDRINUSE, reason: ""))
        #expect(listening == .addressInUse(address: "192.0.2.1:9"))
        #expect(TransportError(ofConnection: IOError(errnoCode: ECONNRESET, reason: "")) == .reset)
        #expect(TransportError(ofConnection: IOError(errnoCode: EPIPE, reason: "")) == .reset)
        #expect(TransportError(ofConnection: IOError(errnoCode: ETIMEDOUT, reason: "")) == .timedOut(.read))
    }
}
