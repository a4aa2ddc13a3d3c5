import Dispatch
import Foundation
import KamuneSystem
import Synchronization
import Testing

/// The built command, run as a user runs it: in a pipe, or in a terminal of its own.
final class Child: Sendable {
    /// How long anything may take: far longer than it does, so that only what hangs is caught.
    static let patience = Duration.seconds(30)

    /// What standard input is.
    enum Input {
        /// A pipe that the test writes to.
        case pipe
        /// A terminal that the process controls; output and errors go there too.
        case terminal
    }

    /// Standard output; in a terminal, everything.
    let output = Transcript()
    /// Standard error; in a terminal, nothing.
    let errors = Transcript()

    private let processID: pid_t
    private let inputDescriptor: Mutex<Int32?>
    private let exit = Exit()
    private let arguments: [String]

    /// Starts the command.
    ///
    /// - Parameters:
    ///   - home: Where it keeps its files.
    ///   - environment: Variables beyond the few that it needs.
    convenience init(
        _ arguments: [String], home: Home, input: Input = .pipe, environment: [String: String] = [:]
    ) throws {
        try self.init(
            program: Binary.path(), arguments + home.storeArguments(for: arguments), home: home, input: input,
            environment: ["XDG_DATA_HOME": home.path, "HOME": home.path, "TERM": "xterm"].merging(environment) { $1 })
    }

    /// Starts any program.
    ///
    /// - Parameter home: What is not to be removed while it runs.
    init(
        program: String, _ arguments: [String], home: Home, input: Input = .pipe, environment: [String: String]
    ) throws {
        Self.ignoreBrokenPipes
        self.arguments = arguments
        let (processID, ends) = try Spawn.start(program, arguments, environment: environment, input: input)
        self.processID = processID
        inputDescriptor = Mutex(ends.ourInput)
        Self.collect(ends.ourOutput, into: output)
        if let descriptor = ends.ourErrors { Self.collect(descriptor, into: errors) } else { errors.end() }

        Thread.detachNewThread { [exit, home] in
            var code: Int32 = 0
            defer { withExtendedLifetime(home) {} }
            while waitpid(processID, &code, 0) == -1, errno == EINTR {}
            // WIFEXITED and WEXITSTATUS, which are macros; a signal counts as shells count it.
            let result = code & 0x7f == 0 ? (code >> 8) & 0xff : 128 + (code & 0x7f)
            exit.status.withLock { $0 = result }
            exit.event.end()
            exit.isOver.signal()
        }
    }

    deinit {
        if exit.status.withLock({ $0 }) == nil { kill(processID, SIGKILL) }
        closeInput()
        // Else it might still write to a directory that is being removed.
        _ = exit.isOver.wait(timeout: .now() + .seconds(5))
    }

    /// Writing to a child that was killed is an error for who writes, not the end of all tests.
    private static let ignoreBrokenPipes: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

    private static func collect(_ descriptor: Int32, into transcript: Transcript) {
        Thread.detachNewThread {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4_096, alignment: 1)
            while true {
                let count = systemRead(descriptor, buffer)
                if count < 0, errno == EINTR { continue }
                // A terminal whose other side is closed reports an error rather than an end.
                if count <= 0 { break }
                transcript.append(buffer[..<count])
            }
            buffer.deallocate()
            transcript.end()
        }
    }

    // MARK: What a user does

    /// Types, or writes to the pipe.
    func write(_ text: String) {
        guard let descriptor = inputDescriptor.withLock({ $0 }) else { return }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { systemWrite(descriptor, $0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Types until it has an effect. What is typed in the moment in which something else has come into view has none.
    func type(
        _ text: String, until expected: String, times: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        for _ in 0..<20 {
            write(text)
            if await output.wait(within: .seconds(2), until: { $0.ranges(of: expected).count >= times }) { return }
        }
        await expect(expected, times: times, sourceLocation: sourceLocation)
    }

    /// Types until the program ends; see ``type(_:until:times:)``.
    func typeUntilEnd(_ text: String) async {
        for _ in 0..<20 where exit.status.withLock({ $0 }) == nil {
            write(text)
            _ = await exit.event.wait(within: .seconds(2)) { _ in false }
        }
    }

    /// Ends the pipe.
    func closeInput() {
        inputDescriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    /// Whether the terminal hands over every key, instead of lines that it edits; nil for a pipe.
    var isTerminalRaw: Bool? {
        inputDescriptor.withLock { descriptor in
            var settings = termios()
            guard let descriptor, tcgetattr(descriptor, &settings) == 0 else { return nil }
            return settings.c_lflag & tcflag_t(ICANON) == 0
        }
    }

    /// Whether the terminal shows what is typed; nil for a pipe.
    var echoes: Bool? {
        inputDescriptor.withLock { descriptor in
            var settings = termios()
            guard let descriptor, tcgetattr(descriptor, &settings) == 0 else { return nil }
            return settings.c_lflag & tcflag_t(ECHO) != 0
        }
    }

    func send(signal: Int32) {
        kill(processID, signal)
    }

    // MARK: What a user sees

    /// Waits until a text stands on standard output, or in the terminal, so many times.
    func expect(_ text: String, times: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) async {
        await expect(text, times, in: output, sourceLocation)
    }

    /// Waits for a text on standard error.
    func expectError(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async {
        await expect(text, 1, in: errors, sourceLocation)
    }

    private func expect(_ text: String, _ times: Int, in transcript: Transcript, _ location: SourceLocation) async {
        let isThere = await transcript.wait(within: Self.patience) { $0.ranges(of: text).count >= times }
        #expect(
            isThere, "“\(text)” from kamune \(arguments); output: \(output.text) errors: \(errors.text)",
            sourceLocation: location)
    }

    /// Waits for the end of the process, and of its output.
    func exitCode() async -> Int32? {
        _ = await exit.event.wait(within: Self.patience) { _ in false }
        _ = await output.wait(within: Self.patience) { _ in false }
        _ = await errors.wait(within: Self.patience) { _ in false }
        return exit.status.withLock { $0 }
    }

    /// Waits for the end of the process on this thread, for those who cannot suspend.
    func waitForExit() -> Int32? {
        if exit.isOver.wait(timeout: .now() + .seconds(30)) == .success { exit.isOver.signal() }
        return exit.status.withLock { $0 }
    }

    /// Waits for the end and checks the exit code.
    func expectExit(_ code: Int32, sourceLocation: SourceLocation = #_sourceLocation) async {
        let actual = await exitCode()
        #expect(
            actual == code, "kamune \(arguments); output: \(output.text) errors: \(errors.text)",
            sourceLocation: sourceLocation)
    }
}

/// How a process has ended.
private final class Exit: Sendable {
    let status = Mutex<Int32?>(nil)
    /// Ends when the process does.
    let event = Transcript()
    /// The same for who cannot wait otherwise.
    let isOver = DispatchSemaphore(value: 0)
}
