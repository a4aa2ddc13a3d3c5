import Kamune
import KamuneStore
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

    let conversation: Conversation
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
                    if problem != nil { await conversation.close() }
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
        if case .failed(let error) = end { throw Failure(afterConnecting: error) }
        let undelivered = await conversation.undeliveredCount
        if undelivered > 0 {
            // Those of earlier conversations wait too, and are in the way of these.
            let waiting = (try? await conversation.waitingCount()) ?? 0
            throw Failure(stage.whatBecomes(ofUnsent: max(undelivered, waiting)))
        }
    }

    private func receive() async -> Failure? {
        var lost = 0
        var count = 0
        var suspicion: KamuneError.Code?
        do throws(KamuneError) {
            var events = conversation.events.makeAsyncIterator()
            while true {
                let batch = try await events.next(atMost: Self.batchSize)
                if batch.isEmpty { break }
                let messages = batch.compactMap { if case .message(let message) = $0 { message } else { nil } }
                if let failure = await stage.output.write(messages) { return failure }
                for event in batch {
                    switch event {
                    case .stateChanged(_, .maybeLost): lost += 1
                    case .reconnectionFailed(let error):
                        stage.log.reconnectionFailed(error)
                        // Said once: it may be anybody on the path who says so, again and again.
                        guard error.isSuspicious, suspicion != error.code else { continue }
                        suspicion = error.code
                        await stage.tell(
                            "\(TerminalText(error.message, maximumColumns: TextLimit.sentence)) Trying again.", .warning
                        )
                    case .message, .stateChanged: break
                    case .connected, .disconnected, .reconnecting, .ended: await tell(event)
                    }
                }
                let isDue = (count + batch.count) / ChatStage.trimmingInterval > count / ChatStage.trimmingInterval
                count += batch.count
                if isDue { await stage.trim(conversation) }
            }
        } catch {
            if error.code != .cancelled { return Failure(error) }
        }
        guard lost > 0 else { return nil }
        return Failure(.maybeLost(lost))
    }

    private func tell(_ event: ConversationEvent) async {
        switch event {
        case .connected(let summary):
            stage.log.established(summary)
            let isBack = await stage.reception.isLost(conversation.peerID)
            _ = await stage.reception.connected(conversation.peerID)
            await stage.tellDoubt(of: summary)
            await stage.tell(isBack ? "\(name) is back." : "Connected with \(name) (\(summary.remoteAddress)).")
        case .disconnected(let error):
            stage.log.lost(error)
            await stage.reception.lost(conversation.peerID)
            await stage.tell(
                "The connection with \(name) is lost: \(TerminalText(error.message, maximumColumns: TextLimit.sentence))",
                .warning)
        case .reconnecting(let attempt, let delay):
            stage.log.reconnecting(attempt: attempt, delay)
            if attempt == 1 { await stage.tell("Reconnecting…") }
        case .reconnectionFailed, .message, .stateChanged, .ended: break
        }
    }

    private func send(_ input: LineSource) async -> Failure? {
        do {
            while let lines = try await input.next(atMost: Self.batchSize) {
                await conversation.waitForRoom()
                try await conversation.send(contentsOf: lines)
            }
            return nil
        } catch let error as LineSplitter.LineTooLong {
            return Failure(error)
        } catch let error as KamuneError {
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
        var count = await conversation.undeliveredCount
        while await !conversation.waitUntilDelivered(for: Self.confirmationLimit) {
            let left = await conversation.undeliveredCount
            // While the connection is lost, how long to try is the reconnection's business.
            let isConnected = await conversation.isConnected
            let hasEnded = await conversation.hasEnded
            guard left < count || !isConnected, !hasEnded, !Task.isCancelled else { return }
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

extension KamuneError {
    /// Whether it says that somebody else than the peer may be answering, or that the peer wants nothing of us.
    var isSuspicious: Bool {
        switch code {
        case .refusedByUs, .refusedByPeer, .authenticationFailed: true
        default: false
        }
    }
}
