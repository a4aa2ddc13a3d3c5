import Kamune
import KamuneNode
import KamuneSystem
import KamuneTerminal

/// A conversation of a script: lines of a pipe are sent, and what arrives is written, a line for each message.
struct PipeChat: Sendable {
    /// When to end after the last line was sent.
    enum Linger: Sendable, Equatable {
        /// As soon as the other side has confirmed that it has everything.
        case none
        /// After this time, or when the other side ends the conversation.
        case time(Duration)
    }

    let conversation: ChatConversation
    /// What the other side is called.
    let name: TerminalText
    let stage: ChatStage
    /// What is sent; nil to only receive.
    let input: LineSource?
    let linger: Linger
    /// Whether an input without a single line means to only receive.
    let staysForEmptyInput: Bool

    /// How long the other side may take to confirm anything of what it was sent.
    private static let confirmationLimit = Duration.seconds(30)
    /// How many lines are stored at once, and how many events taken.
    private static let batchSize = 256

    private enum Event: Sendable {
        case received(Failure?)
        case sent(Failure?)
        case finished
        case stopped(Int32?)
    }

    /// Talks until the end.
    ///
    /// - Throws: A ``Failure`` when it does not end gracefully, or not everything was delivered and written.
    func run() async throws(Failure) {
        var failure: Failure?
        await withTaskGroup(of: Event.self) { group in
            group.addTask { .received(await receive()) }
            group.addTask { .stopped(await stage.context.signals.first.wait()) }
            if let input { group.addTask { .sent(await send(input)) } }
            var hasReceivedAll = false
            for await event in group {
                switch event {
                case .sent(let problem):
                    failure = failure ?? problem
                    if hasReceivedAll {
                        group.cancelAll()
                    } else {
                        group.addTask {
                            await finish(isOrderly: problem == nil)
                            return .finished
                        }
                    }
                case .received(let problem):
                    failure = failure ?? problem
                    hasReceivedAll = true
                    // A line that is being sent is not cut short; one that was not read yet is left alone.
                    input?.cancel()
                    if problem != nil { await conversation.abandon() }
                    if input == nil || failure != nil { group.cancelAll() }
                case .finished:
                    group.cancelAll()
                case .stopped(let signal):
                    if let signal {
                        failure = failure ?? Failure(signal: signal)
                        input?.cancel()
                        await conversation.close()
                        group.cancelAll()
                    }
                }
            }
        }
        // Whoever waits for it has other reasons to end.
        if Task.isCancelled { await conversation.close() }
        let end = await conversation.waitUntilEnded()
        if let failure { throw failure }
        if end.by == .failure, let error = end.error { throw Failure(afterConnecting: error) }
        let (undelivered, waiting) = await conversation.counts()
        if undelivered > 0 {
            // Those of earlier conversations wait too, and are in the way of these.
            throw Failure(stage.whatBecomes(ofUnsent: max(undelivered, waiting)))
        }
    }

    private func receive() async -> Failure? {
        var lost = 0
        var suspicion: NodeError.Code?
        while true {
            let batch = await conversation.events.next(atMost: Self.batchSize)
            if batch.isEmpty { break }
            let messages = batch.compactMap { event in
                if case .message(let message) = event, message.direction == .incoming { message } else { nil }
            }
            if let failure = await stage.output.write(messages) { return failure }
            for event in batch {
                switch event {
                case .stateChanged(_, _, .maybeLost): lost += 1
                case .reconnectionFailed(_, let error):
                    stage.log.reconnectionFailed(error)
                    // Said once: it may be anybody on the path who says so, again and again.
                    guard error.isSuspicious, suspicion != error.code else { continue }
                    suspicion = error.code
                    await stage.tell(
                        "\(TerminalText(error.message, maximumColumns: TextLimit.sentence)) Trying again.", .warning)
                case .lagged: if let failure = await stage.output.catchUp() { return failure }
                case .message, .stateChanged: break
                default: await tell(event)
                }
            }
        }
        guard lost > 0 else { return nil }
        return Failure(.maybeLost(lost))
    }

    private func tell(_ event: NodeEvent) async {
        switch event {
        case .connected(_, let link):
            stage.log.established(link)
            let isBack = await stage.reception.isLost(conversation.contact)
            _ = await stage.reception.connected(conversation.contact)
            await stage.tellDoubt(of: link)
            await stage.tell(isBack ? "\(name) is back." : "Connected with \(name) (\(link.address)).")
        case .disconnected(_, let error):
            stage.log.lost(error)
            await stage.reception.lost(conversation.contact)
            await stage.tell(
                "The connection with \(name) is lost: \(TerminalText(error.message, maximumColumns: TextLimit.sentence))",
                .warning)
        case .reconnecting(_, let attempt, let seconds):
            stage.log.reconnecting(attempt: attempt, .seconds(seconds))
            if attempt == 1 { await stage.tell("Reconnecting…") }
        default: break
        }
    }

    private func send(_ input: LineSource) async -> Failure? {
        do {
            while let lines = try await input.next(atMost: Self.batchSize) {
                _ = try await conversation.send(contentsOf: lines)
            }
            return nil
        } catch let error as LineSplitter.LineTooLong {
            return Failure(error)
        } catch let error as NodeError {
            switch error.code {
            case .cancelled: return nil
            case .sessionEnded:
                return Failure(.endedEarly)
            default: return Failure(error)
            }
        } catch {
            return Failure(anything: error)
        }
    }

    /// Closes the conversation when its time has come.
    private func finish(isOrderly: Bool) async {
        if isOrderly {
            let hasSent = await input?.hasHadLines ?? false
            if !hasSent, staysForEmptyInput {
                _ = await conversation.waitUntilEnded()
            } else {
                switch linger {
                case .none: await waitUntilDelivered()
                case .time(let limit): await limited(limit) { _ = await conversation.waitUntilEnded() }
                }
            }
        }
        await conversation.close()
    }

    /// Waits until the other side has everything, or confirms nothing more.
    private func waitUntilDelivered() async {
        var count = Int.max
        while true {
            let left = await conversation.waitUntilDelivered(for: Self.confirmationLimit)
            // While the connection is lost, how long to try is the reconnection's business.
            guard left > 0, left < count || !conversation.isConnected, !conversation.hasEnded, !Task.isCancelled else {
                return
            }
            count = left
        }
    }

    /// Waits for `body`, but not for longer than the limit. `body` must end when the conversation does.
    private func limited(_ limit: Duration, _ body: @escaping @Sendable () async -> Void) async {
        let isDone = Promise<Void>()
        let work = Task {
            await body()
            isDone.fulfill(())
        }
        let timer = Task {
            try? await stage.context.time.sleep(for: limit)
            isDone.fulfill(())
        }
        _ = await isDone.wait()
        timer.cancel()
        work.cancel()
    }
}

extension NodeError {
    /// Whether it says that somebody else than the peer may be answering, or that the peer wants nothing of us.
    var isSuspicious: Bool {
        switch code {
        case .refusedByUs, .refusedByPeer, .authenticationFailed: true
        default: false
        }
    }
}
