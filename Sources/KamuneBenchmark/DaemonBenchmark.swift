import Foundation
import Kamune
import KamuneCrypto
import KamuneStore
import KamuneSystem
import Synchronization

/// Measures what programs in other languages reach: messages through the JSON of two `kamune daemon`s, in processes of their
/// own, beside two messengers of the library in this process. All are kept on the disk at both ends.
public struct DaemonBenchmark: Sendable {
    /// The program that daemons are run of.
    public var program: String
    /// A factor on the number of messages.
    public var effort: Double
    /// Told what is measured next.
    public var progress: @Sendable (String) -> Void

    private static let messageSize = 64
    private static let messages = 20_000.0
    private static let turns = 3
    /// How many messages are handed to the library at once: as many as a daemon finds in what it reads at once.
    private static let handful = 256

    /// A benchmark of this program's daemons.
    public init(
        program: String, effort: Double = 1, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        (self.program, self.effort, self.progress) = (program, effort, progress)
    }

    /// Runs everything. Takes about half a minute.
    ///
    /// - Throws: ``BenchmarkFailure``, the library's errors, or what the system says when the folder cannot be made.
    public func run() async throws -> BenchmarkReport {
        let folder = NSTemporaryDirectory() + "/kamune-bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let count = max(1_000, Int(Self.messages * effort))
        var (library, daemons) = (0.0, 0.0)
        for turn in 1...Self.turns {
            progress("turn \(turn) of \(Self.turns): two messengers of the library")
            library = max(library, Double(count) / (try await sendByLibrary(count, in: "\(folder)/l\(turn)")))
            progress("turn \(turn) of \(Self.turns): two daemons")
            daemons = max(daemons, Double(count) / (try await sendByDaemons(count, in: "\(folder)/d\(turn)")))
        }
        var report = BenchmarkReport()
        let group = "64-byte messages in one direction, kept on the disk at both ends"
        report.add(group, "two messengers of the library, in this process", library, "messages/s")
        report.add(
            group, "two daemons, by lines of JSON, each a process", daemons, "messages/s", ratio: daemons / library,
            goal: 0.8, atLeast: true)
        return report
    }

    // MARK: The library

    /// - Returns: How long it took, in seconds.
    private func sendByLibrary(_ count: Int, in folder: String) async throws -> Double {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func open(_ name: String) async throws -> Messenger {
            try await Messenger.open(
                at: StoreLocation(path: "\(folder)/\(name).db"), credential: .unprotected, name: name,
                verifier: { _ in .anyone })
        }
        let (ada, bob) = (try await open("ada"), try await open("bob"))
        let listener = try await bob.listen(on: "127.0.0.1:0")
        let receiving = Task {
            var conversations = listener.makeAsyncIterator()
            guard let conversation = try await conversations.next() else { throw BenchmarkFailure.sessionEnded }
            var received = 0
            for try await event in conversation.events {
                if case .message = event { received += 1 }
                if received == count { return }
            }
            throw BenchmarkFailure.sessionEnded
        }
        let conversation = try await ada.dial(listener.address)
        // Whoever sends is told how far each message has come.
        let watching = Task { for try await _ in conversation.events {} }
        let bodies = [[UInt8]](repeating: [UInt8](repeating: 120, count: Self.messageSize), count: Self.handful)
        let start = CPUClock.wall
        var sent = 0
        while sent < count {
            await conversation.waitForRoom()
            try await conversation.send(contentsOf: Array(bodies.prefix(count - sent)))
            sent += min(bodies.count, count - sent)
        }
        try await receiving.value
        let seconds = Double(CPUClock.wall - start) / 1_000_000_000
        await ada.shutDown()
        await listener.close()
        await bob.shutDown()
        watching.cancel()
        try await ada.store.close()
        try await bob.store.close()
        return seconds
    }

    // MARK: Daemons

    /// - Returns: How long it took, in seconds.
    private func sendByDaemons(_ count: Int, in folder: String) async throws -> Double {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (ada, bob) = (try DrivenDaemon(program), try DrivenDaemon(program))
        defer {
            ada.end()
            bob.end()
        }
        for (daemon, name) in [(ada, "ada"), (bob, "bob")] {
            _ = try await daemon.ask(
                "open_storage", ["storage_path": "\(folder)/\(name).db", "db_no_passphrase": true], until: "response")
            _ = try await daemon.ask("set_verification_mode", ["mode": 2], until: "response")
        }
        let server = try await bob.ask("start_server", ["addr": "127.0.0.1:0"], until: "server_started")
        guard let address = server["addr"] as? String else { throw BenchmarkFailure.holderFailed }
        let session = try await ada.ask("dial", ["addr": address], until: "session_started")
        guard let session = session["session_id"] as? String else { throw BenchmarkFailure.holderFailed }
        let body = Data(repeating: 120, count: Self.messageSize).base64EncodedString()
        var lines: [UInt8] = []
        for number in 0..<count {
            lines += Array(
                (#"{"type":"cmd","cmd":"send_message","id":"m\#(number)","params":{"session_id":"\#(session)","#
                    + #""data_base64":"\#(body)"}}"# + "\n").utf8)
        }
        let start = CPUClock.wall
        ada.write(lines)
        guard await ada.waitForMessages(count), await bob.waitForMessages(count) else {
            throw BenchmarkFailure.sessionEnded
        }
        return Double(CPUClock.wall - start) / 1_000_000_000
    }
}

/// A daemon in a process of its own, driven as a program in another language does.
private final class DrivenDaemon: Sendable {
    /// What is read of what it says while messages are counted.
    private struct State {
        /// Of messages that were sent or came in.
        var messages = 0
        var isOver = false
        var awaited = 0
        var waiter: CheckedContinuation<Bool, Never>?
    }

    /// Unchecked because `Process` is not `Sendable`. It is right: it is started before anybody else has it, and afterwards
    /// only told to end, by its one owner.
    private final class Running: @unchecked Sendable {
        let process = Process()
    }

    private let running = Running()
    private let input = Pipe()
    private let state = Mutex(State())
    private let events: AsyncStream<[UInt8]>
    private let continuation: AsyncStream<[UInt8]>.Continuation

    init(_ program: String) throws {
        (events, continuation) = AsyncStream.makeStream()
        let output = Pipe()
        running.process.executableURL = URL(fileURLWithPath: program)
        running.process.arguments = ["daemon"]
        running.process.standardInput = input
        running.process.standardOutput = output
        running.process.standardError = FileHandle.nullDevice
        try running.process.run()
        Thread.detachNewThread { [self] in
            read(output.fileHandleForReading)
        }
    }

    func end() {
        try? input.fileHandleForWriting.close()
        running.process.terminate()
        running.process.waitUntilExit()
    }

    /// Gives a command, and waits for an event of a name; an error is one of any name.
    func ask(_ command: String, _ parameters: [String: any Sendable], until name: String) async throws -> [String: Any]
    {
        var line = try JSONSerialization.data(
            withJSONObject: ["type": "cmd", "cmd": command, "id": command, "params": parameters])
        line.append(UInt8(ascii: "\n"))
        input.fileHandleForWriting.write(line)
        for await event in events {
            guard let event = try JSONSerialization.jsonObject(with: Data(event)) as? [String: Any] else { continue }
            if event["evt"] as? String == "error" { break }
            if event["evt"] as? String == name { return event["data"] as? [String: Any] ?? [:] }
        }
        throw BenchmarkFailure.holderFailed
    }

    /// Writes lines, on a thread of its own.
    func write(_ lines: [UInt8]) {
        let file = input.fileHandleForWriting
        Thread.detachNewThread { try? file.write(contentsOf: Data(lines)) }
    }

    /// Waits until so many messages have gone out or come in.
    func waitForMessages(_ count: Int) async -> Bool {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state -> Bool? in
                if state.messages >= count { return true }
                if state.isOver { return false }
                (state.awaited, state.waiter) = (count, continuation)
                return nil
            }
            if let isOver { continuation.resume(returning: isOver) }
        }
    }

    // MARK: What it says

    private static let counted = [Array(#"message_received""#.utf8), Array(#"message_sent""#.utf8)]
    /// What is passed over; it is most of what is said.
    private static let noise = [Array(#"session_updated""#.utf8), Array(#"log_entry""#.utf8)]
    /// What stands before an event's name, after its data; and how far from the line's end at most.
    private static let event = Array(#""evt":""#.utf8)
    private static let tail = 80

    private func read(_ file: FileHandle) {
        var partial: [UInt8] = []
        while true {
            let piece = file.availableData
            if piece.isEmpty { break }
            partial += piece
            let (used, messages) = partial.withUnsafeBytes(take)
            partial.removeSubrange(..<used)
            count(messages)
        }
        continuation.finish()
        state.withLock { state in
            state.isOver = true
            return state.waiter.take()
        }?.resume(returning: false)
    }

    /// Takes whole lines.
    ///
    /// - Returns: How many bytes they take, and how many messages they tell of.
    private func take(_ bytes: UnsafeRawBufferPointer) -> (used: Int, messages: Int) {
        guard let base = bytes.baseAddress else { return (0, 0) }
        var (start, messages) = (0, 0)
        while let end = memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start) {
            let line = UnsafeRawBufferPointer(start: base + start, count: UnsafeRawPointer(end) - (base + start))
            start += line.count + 1
            let name = Self.event(of: line)
            if Self.counted.contains(where: { name.starts(with: $0) }) {
                messages += 1
            } else if !Self.noise.contains(where: { name.starts(with: $0) }) {
                continuation.yield(Array(line))
            }
        }
        return (start, messages)
    }

    /// The line from its event's name on.
    private static func event(of line: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        var rest = line.suffix(tail)
        while let quote = rest.firstIndex(of: event[0]) {
            rest = rest[quote...]
            if rest.starts(with: event) { return rest.dropFirst(event.count) }
            rest = rest.dropFirst()
        }
        return rest
    }

    private func count(_ messages: Int) {
        guard messages > 0 else { return }
        state.withLock { state -> CheckedContinuation<Bool, Never>? in
            state.messages += messages
            return state.messages >= state.awaited ? state.waiter.take() : nil
        }?.resume(returning: true)
    }
}
