import Kamune

/// A conversation of a script: lines of a pipe are sent, and what arrives is written, a line for each message.
struct PipeChat: Sendable {
    /// When to end after the last line was sent.
    enum Linger: Sendable, Equatable {
        /// As soon as the other side has confirmed that it has everything.
        case none
        /// After this time, or when the other side ends the conversation.
        case time(Duration)
        /// When the other side ends the conversation.
        case untilClosed
    }

    let session: Session
    let record: ConversationRecord
    /// What is sent; nil to only receive.
    let input: LineSource?
    let linger: Linger
    /// Whether an input without a single line means to only receive.
    let staysForEmptyInput: Bool
    let output: MessageOutput
    /// Ends the conversation early.
    let stop: Promise<Int32>

    /// How long the other side may take to confirm that it has everything.
    private static let confirmationLimit = Duration.seconds(5)

    private enum Event: Sendable {
        case received(Failure?)
        case sent(Failure?)
        case finished
        case stopped(Int32?)
    }

    /// Talks until the end.
    ///
    /// - Throws: A ``Failure`` when it does not end gracefully, or not everything was sent and written.
    func run() async throws(Failure) {
        var failure: Failure?
        await withTaskGroup(of: Event.self) { group in
            group.addTask { .received(await receive()) }
            group.addTask { .stopped(await stop.wait()) }
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
                    if problem != nil { await session.close() }
                    if input == nil || failure != nil { group.cancelAll() }
                case .finished:
                    group.cancelAll()
                case .stopped(let signal):
                    if let signal {
                        failure = failure ?? Failure(signal == SIGINT ? .interrupted : .terminated, nil)
                        input?.cancel()
                        await session.close()
                        group.cancelAll()
                    }
                }
            }
        }
        let end = await session.waitUntilEnded()
        await record.ended(end)
        if let failure { throw failure }
        if case .failed(let error) = end { throw Failure(error) }
    }

    private func receive() async -> Failure? {
        do throws(KamuneError) {
            for try await message in session.messages {
                await record.received(message)
                if let error = await output.write(message) {
                    return Failure(.failure, "What arrives cannot be written to standard output: \(error).")
                }
            }
            return nil
        } catch {
            return error.code == .cancelled ? nil : Failure(error)
        }
    }

    private func send(_ input: LineSource) async -> Failure? {
        do {
            while let line = try await input.next() {
                let sent = try await session.send(line)
                await record.sent(line, at: sent.sentAt)
            }
            return nil
        } catch let error as LineSplitter.LineTooLong {
            return Failure(
                .failure,
                "Line \(error.number) of the input is longer than \(error.limit) bytes, the most that one message "
                    + "holds. The lines before it were sent.")
        } catch let error as KamuneError {
            switch error.code {
            case .cancelled: return nil
            case .sessionEnded:
                return Failure(.connectionLost, "The other side ended the conversation before everything was sent.")
            default: return Failure(error)
            }
        } catch {
            return Failure(.failure, "\(error)")
        }
    }

    /// Closes the session when its time has come.
    private func finish(isOrderly: Bool) async {
        if isOrderly {
            let hasSent = await input?.hasHadLines ?? false
            if !hasSent, staysForEmptyInput {
                _ = await session.waitUntilEnded()
            } else {
                switch linger {
                case .none:
                    // The answer to a ping comes after everything that the other side has said before, and says that it
                    // has read everything of ours. To send one as the very first frame would confuse programs of 0.7.
                    if hasSent { await limited(Self.confirmationLimit) { _ = try? await session.ping() } }
                case .time(let limit): await limited(limit) { _ = await session.waitUntilEnded() }
                case .untilClosed: _ = await session.waitUntilEnded()
                }
            }
        }
        await session.close()
    }

    /// Waits for `body`, but not for longer than the limit. `body` must end when the session does.
    private func limited(_ limit: Duration, _ body: @escaping @Sendable () async -> Void) async {
        let isDone = Promise<Void>()
        let work = Task {
            await body()
            isDone.fulfill(())
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            isDone.fulfill(())
        }
        _ = await isDone.wait()
        timer.cancel()
        work.cancel()
    }
}

/// Writes messages to standard output, a line each.
struct MessageOutput: Sendable {
    private let stream = StandardStream(STDOUT_FILENO)
    private let queue = BlockingQueue("kamune.output")

    /// Writes a message, made fit to be shown. Waits while the reader is slow.
    ///
    /// - Returns: What went wrong, if something did.
    func write(_ message: Message) async -> SystemError? {
        let line = DisplayText(message.text).description + "\n"
        return await queue.run { stream.write(line) }
    }
}
