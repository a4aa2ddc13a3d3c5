import Dispatch
import Foundation
import KamuneSystem

/// A program whose standard input and output are ours, and that is expected to end with its standard input. Standard error is ours.
///
/// Foundation's own class needs sockets to wait for a process, which do not work in a network namespace that is not set
/// up yet.
package final class PipedProcess: Sendable {
    /// The process.
    package let processID: Int32

    private let input: Int32
    private let output: Int32
    private let queue = DispatchQueue(label: "kamune.piped-process")

    /// Starts a program.
    ///
    /// - Parameter arguments: The program, searched for as shells do, and its arguments.
    /// - Throws: ``Failure``.
    package init(_ arguments: [String]) throws(Failure) {
        let (theirInput, ourInput) = try Self.pair()
        let (theirOutput, ourOutput) = try Self.pair()
        defer {
            close(theirInput)
            close(theirOutput)
        }
        let strings = arguments.map { strdup($0) }
        defer { for string in strings { free(string) } }
        var processID: pid_t = 0
        let code = withSpawnPreparation { actions, attributes in
            posix_spawn_file_actions_adddup2(&actions, theirInput, 0)
            posix_spawn_file_actions_adddup2(&actions, theirOutput, 1)
            // What we ignore or block, such as SIGPIPE, is not for others.
            var all = sigset_t()
            var none = sigset_t()
            sigfillset(&all)
            sigemptyset(&none)
            posix_spawnattr_setsigdefault(&attributes, &all)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
            return posix_spawnp(&processID, arguments.first ?? "", &actions, &attributes, strings + [nil], environ)
        }
        guard code == 0 else {
            close(ourInput)
            close(ourOutput)
            throw Failure(description: "“\(arguments.first ?? "")” cannot be started: \(SystemError(code))")
        }
        (input, output, self.processID) = (ourInput, ourOutput, processID)
    }

    /// Ends its input, and waits for it somewhere else.
    deinit {
        close(input)
        close(output)
        let processID = processID
        Thread.detachNewThread {
            var waited = 0
            var status: Int32 = 0
            while waitpid(processID, &status, WNOHANG) == 0 {
                usleep(20_000)
                waited += 1
                if waited == 100 { kill(processID, SIGKILL) }
            }
        }
    }

    /// Why a program did not run, or not well.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        /// What went wrong.
        package let description: String
    }

    // MARK: Talking

    /// Writes a line to it.
    package func write(line: String) {
        // If it has ended, reading tells.
        _ = Array((line + "\n").utf8).withUnsafeBytes { send(input, $0.baseAddress, $0.count, SendFlags.withoutSignal) }
    }

    /// Ends its standard input.
    package func endInput() {
        _ = shutdown(input, CInt(SHUT_WR))
    }

    /// Reads until the end of a line, of which it must write one at a time; nil when it has ended.
    ///
    /// Blocks the thread: for programs of their own. In tasks use ``nextLine()``.
    package func readLine() -> String? {
        var line: [UInt8] = []
        while line.last != 10 {
            guard let part = read() else { return nil }
            line += part
        }
        return String(decoding: line.dropLast(), as: UTF8.self)
    }

    /// Reads everything until it ends. Blocks the thread.
    package func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        while let part = read() { bytes += part }
        return bytes
    }

    /// Like ``readLine()``, on another thread.
    package func nextLine() async -> String? {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.readLine()) }
        }
    }

    /// Like ``readAll()``, on another thread.
    package func everything() async -> [UInt8] {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.readAll()) }
        }
    }

    /// Runs a program to its end and returns its output, or nil if it fails. Blocks the thread.
    package static func run(_ arguments: [String]) -> String? {
        guard let (code, output) = try? runToEnd(arguments), code == 0 else { return nil }
        return String(decoding: output, as: UTF8.self)
    }

    private static func runToEnd(_ arguments: [String]) throws -> (Int32, [UInt8]) {
        // The shell tells how it went behind what the program wrote.
        let process = try PipedProcess(["sh", "-c", "\"$@\" </dev/null; printf '\\n%d' $?", "sh"] + arguments)
        let output = process.readAll()
        guard let end = output.lastIndex(of: 10),
            let code = Int32(String(decoding: output[(end + 1)...], as: UTF8.self))
        else { return (-1, output) }
        return (code, Array(output[..<end]))
    }

    // MARK: The system

    private func read() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = buffer.withUnsafeMutableBytes { recv(output, $0.baseAddress, $0.count, 0) }
            if count < 0, errno == EINTR { continue }
            return count > 0 ? Array(buffer[..<count]) : nil
        }
    }

    /// Two ends of which no other child inherits ours, not even one that is started at this moment. Unlike those of a
    /// pipe.
    private static func pair() throws(Failure) -> (theirs: Int32, ours: Int32) {
        do {
            return try systemSocketPair()
        } catch {
            throw Failure(description: "There are too many open files.")
        }
    }
}
