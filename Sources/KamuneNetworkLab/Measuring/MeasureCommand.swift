import ArgumentParser
import Foundation
import Kamune
import KamuneSystem
import Synchronization

/// `measure`: how long sessions, messages and bulk take to somebody who runs `answer`. Prints JSON.
struct MeasureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure", abstract: "Measure sessions with a host that answers.")

    @OptionGroup var transport: ProbeTransport

    @Option(help: "How many sessions to establish.")
    var sessions = 5

    @Option(help: "How many small messages to send.")
    var messages = 200

    @Option(help: "The time between two of them, in milliseconds.")
    var interval = 50

    @Option(help: "How long to send large messages, in seconds.")
    var bulk = 10.0

    @Option(help: "How long they are, in bytes.")
    var bulkSize = 60_000

    @Option(help: "When to give up, in seconds.")
    var timeLimit = 600

    func run() async throws {
        ResidentProcess.stay()
        let notes = Notes()
        let measuring = Task {
            do {
                try await measure(notes)
            } catch {
                notes.note { $0.failure = "\(error)" }
            }
        }
        let watchdog = Task {
            try await SystemTime().sleep(for: .seconds(timeLimit))
            notes.note { $0.failure = "The time is over." }
            try Self.finish(notes.result)
        }
        await measuring.value
        watchdog.cancel()
        try Self.finish(notes.result)
    }

    private static func finish(_ result: Measurement) throws -> Never {
        FileHandle.standardOutput.write(try JSONEncoder().encode(result) + [10])
        // Not by closing the session: after bulk it might have much to send still.
        Foundation.exit(result.failure == nil ? 0 : 1)
    }

    private func measure(_ notes: Notes) async throws {
        var session: Session?
        for _ in 0..<max(sessions, 1) {
            await session?.close()
            let (established, time) = try await establish(notes)
            session = established
            let steps = established.handshake.map { $0.duration / .milliseconds(1) }
            notes.note {
                $0.establishing.append(time)
                $0.steps = steps
            }
        }
        guard let session else { return }
        let answers = Answers()
        let receiving = Task {
            do {
                for try await message in session.messages { answers.received(message.bytes) }
                answers.finish()
            } catch {
                answers.finish()
            }
        }
        defer { receiving.cancel() }
        try await chat(session, answers, notes)
        guard bulk > 0 else { return }
        let sending = Task {
            let message = ProbeMessage.bulk(tenths: UInt16(clamping: Int(bulk * 10))).encoded(size: bulkSize)
            while !Task.isCancelled { try await session.send(message) }
        }
        defer { sending.cancel() }
        let rate = await answers.report.first { _ in true }
        guard let rate else { throw ProbeFailure("The session ended during bulk.") }
        notes.note { $0.bulk = rate }
    }

    /// Establishes a session, and tries again as people would: TCP waits minutes when it is out of luck.
    private func establish(_ notes: Notes) async throws -> (Session, Double) {
        let endpoint = try ProbeTransport.endpoint()
        var attempt = 0
        while true {
            attempt += 1
            let start = SystemTime.machineNanoseconds
            do {
                let session = try await endpoint.initiate(over: try await transport.connect())
                return (session, Double(SystemTime.machineNanoseconds - start) / 1e6)
            } catch {
                guard attempt < Self.attempts else { throw error }
                notes.note { $0.failedDials += 1 }
            }
        }
    }

    /// How often somebody dials before giving up.
    private static let attempts = 5

    private func chat(_ session: Session, _ answers: Answers, _ notes: Notes) async throws {
        let time = SystemTime()
        let start = time.monotonic
        for number in 0..<messages {
            // By the clock and not by the answers: what is held up must not hide behind those that then are not sent.
            try await time.sleep(until: start + .milliseconds(number * interval))
            let echo = ProbeMessage.Echo(number: UInt64(number), sentAt: SystemTime.machineNanoseconds, answeredAt: 0)
            try await session.send(ProbeMessage.echo(echo).encoded())
            notes.note { $0.sent += 1 }
        }
        if messages > 0 { await answers.wait(for: messages) }
        let (oneWay, roundTrip) = answers.times
        notes.note {
            $0.answered = roundTrip.count
            $0.oneWay = Measurement.Percentiles(oneWay)
            $0.roundTrip = Measurement.Percentiles(roundTrip)
        }
        guard roundTrip.count == messages, answers.isInOrder else {
            throw ProbeFailure("Of \(messages) messages \(roundTrip.count) came back.")
        }
    }
}

/// What was measured so far.
private final class Notes: Sendable {
    private let measurement = Mutex(Measurement())

    var result: Measurement { measurement.withLock { $0 } }

    func note(_ change: (inout Measurement) -> Void) {
        measurement.withLock { change(&$0) }
    }
}

/// Why nothing more could be measured.
struct ProbeFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// What comes back.
private final class Answers: Sendable {
    private struct State {
        var oneWay: [Double] = []
        var roundTrip: [Double] = []
        var nextNumber: UInt64 = 0
        var isInOrder = true
        var isFinished = false
        var waiter: (count: Int, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())
    /// The bytes per second that the other side has counted.
    let report: AsyncStream<Double>
    private let reporting: AsyncStream<Double>.Continuation

    init() {
        (report, reporting) = AsyncStream.makeStream()
    }

    var times: (oneWay: [Double], roundTrip: [Double]) { state.withLock { ($0.oneWay, $0.roundTrip) } }
    var isInOrder: Bool { state.withLock { $0.isInOrder } }

    func received(_ bytes: [UInt8]) {
        let now = SystemTime.machineNanoseconds
        switch ProbeMessage(bytes) {
        case .echo(let echo):
            let waiter = state.withLock { state in
                state.oneWay.append(Double(echo.answeredAt &- echo.sentAt) / 1e6)
                state.roundTrip.append(Double(now &- echo.sentAt) / 1e6)
                if echo.number != state.nextNumber { state.isInOrder = false }
                state.nextNumber += 1
                return Self.takeWaiter(&state)
            }
            waiter?.resume()
        case .report(let bytes, let time):
            reporting.yield(Double(bytes) / (Double(max(time, 1)) / 1e9))
        case .bulk, nil: break
        }
    }

    func finish() {
        let waiter = state.withLock { state in
            state.isFinished = true
            return Self.takeWaiter(&state)
        }
        waiter?.resume()
        reporting.finish()
    }

    /// Waits until so many messages came back, or nothing more will.
    func wait(for count: Int) async {
        await withCheckedContinuation { continuation in
            let waiter = state.withLock { state in
                state.waiter = (count, continuation)
                return Self.takeWaiter(&state)
            }
            waiter?.resume()
        }
    }

    private static func takeWaiter(_ state: inout State) -> CheckedContinuation<Void, Never>? {
        guard let waiter = state.waiter, state.isFinished || state.roundTrip.count >= waiter.count else { return nil }
        state.waiter = nil
        return waiter.continuation
    }
}
