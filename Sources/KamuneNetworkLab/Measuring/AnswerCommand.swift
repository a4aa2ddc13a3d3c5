import ArgumentParser
import Foundation
import Kamune
import KamuneSystem
import KamuneTransport
import Synchronization

/// `answer`: the other side of `measure`.
struct AnswerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "answer", abstract: "Answer those who measure; ends with its standard input.")

    @OptionGroup var transport: ProbeTransport

    func run() async throws {
        ResidentProcess.stay()
        let endpoint = try ProbeTransport.endpoint()
        let listener = try await transport.listen()
        Thread.detachNewThread {
            while !FileHandle.standardInput.availableData.isEmpty {}
            Foundation.exit(0)
        }
        FileHandle.standardOutput.write(Data("ready\n".utf8))
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                guard let connection = try await listener.accept() else { return }
                group.addTask {
                    do {
                        try await Self.answer(try await endpoint.respond(over: connection))
                    } catch {
                        FileHandle.standardError.write(Data("answer: \(error)\n".utf8))
                    }
                }
            }
        }
    }

    private static func answer(_ session: Session) async throws {
        let counter = Counter()
        for try await message in session.messages {
            switch ProbeMessage(message.bytes) {
            case .echo(var echo):
                echo.answeredAt = SystemTime.machineNanoseconds
                try await session.send(ProbeMessage.echo(echo).encoded())
            case .bulk(let tenths):
                guard let startedAt = counter.count(message.bytes.count) else { continue }
                Task {
                    try await SystemTime().sleep(for: .milliseconds(100 * Int(tenths)))
                    let report = ProbeMessage.report(
                        bytes: counter.bytes, time: SystemTime.machineNanoseconds - startedAt)
                    try await session.send(report.encoded())
                }
            case .report, nil: break
            }
        }
        await session.close()
    }

    /// Counts what comes after the first message.
    private final class Counter: Sendable {
        private let state = Mutex<UInt64?>(nil)

        var bytes: UInt64 { state.withLock { $0 ?? 0 } }

        /// Counts a message.
        ///
        /// - Returns: The time, if it was the first.
        func count(_ size: Int) -> UInt64? {
            state.withLock { bytes in
                guard let counted = bytes else {
                    bytes = 0
                    return SystemTime.machineNanoseconds
                }
                bytes = counted + UInt64(size)
                return nil
            }
        }
    }
}
