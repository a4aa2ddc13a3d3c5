import Foundation
import KamuneSystem
import KamuneTestKit
import Testing

@testable import KamuneDaemon

/// The daemon on pipes, as a program starts it.
@Suite("Daemon on two descriptors")
struct StandardDaemonTests {
    private struct Rig {
        let input: (read: Int32, write: Int32)
        let output: (read: Int32, write: Int32)
        let stop = Gate()
        let task: Task<Void, any Error>

        init() throws {
            _ = signal(SIGPIPE, SIG_IGN)
            let (input, output) = (try systemPipe(), try systemPipe())
            (self.input, self.output) = (input, output)
            let backend = FakeBackend(try FakeStorage())
            let environment = DaemonEnvironment(version: "9.9.9", libraryVersion: "0.7.0", keychain: NoKeychain())
            task = Task { [stop] in
                try await StandardDaemon.run(backend, environment, input: input.read, output: output.write) {
                    await stop.wait()
                }
                systemClose(output.write)
            }
        }

        func write(_ bytes: [UInt8]) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { systemWrite(input.write, $0) }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }

        func write(_ text: String) { write(Array(text.utf8)) }

        /// Reads to the end, on a thread of its own.
        func readAll() async -> [ReadEvent] {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread { [output] in
                    var bytes: [UInt8] = []
                    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
                    defer { buffer.deallocate() }
                    while case let count = systemRead(output.read, buffer), count > 0 {
                        bytes.append(contentsOf: buffer[..<count])
                    }
                    let lines = bytes.split(separator: UInt8(ascii: "\n"))
                    continuation.resume(returning: lines.compactMap { try? ReadEvent(Array($0)) })
                }
            }
        }

        func close() {
            systemClose(input.read)
            systemClose(output.read)
        }
    }

    @Test("Lines are answered in order, and the end of the input is the end")
    func order() async throws {
        let rig = try Rig()
        defer { rig.close() }
        async let events = rig.readAll()
        for number in 0..<1_000 { rig.write(#"{"type":"cmd","cmd":"get_status","id":"\#(number)"}"# + "\r\n") }
        rig.write(#"{"type":"cmd","cmd":"get_version","id":"last"}"#)
        systemClose(rig.input.write)
        try await rig.task.value
        let told = await events
        #expect(told.first?.name == "ready")
        #expect(told.dropFirst().prefix(1_000).map(\.id) == (0..<1_000).map(String.init))
        #expect(told.suffix(2).map(\.summary) == ["response #last", "response(shutdown)"])
    }

    @Test("Hostile lines are errors, and the next is followed")
    func hostile() async throws {
        let rig = try Rig()
        defer { rig.close() }
        async let events = rig.readAll()
        let piece = [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20)
        for _ in 0..<100 { rig.write(piece) }
        rig.write("\n\n\u{0}\n")
        rig.write([0xff, 0xfe, 0x0a])
        rig.write(String(repeating: "{\"a\":", count: 10_000) + "\n")
        rig.write(#"{"type":"cmd","cmd":"get_version","id":"after"}"# + "\n")
        rig.write(#"{"type":"cmd","cmd":"shutdown","id":"x"}"# + "\n")
        try await rig.task.value
        systemClose(rig.input.write)
        let told = await events
        #expect(
            told.map(\.summary) == [
                "ready", "error(line_too_long)", "error(invalid_json)", "error(invalid_json)", "error(invalid_json)",
                "response #after", "response(shutdown)",
            ])
    }

    @Test("A program that reads nothing is waited for, and everything is there once it reads")
    func slowReader() async throws {
        let ends = try systemPipe()
        let queue = LineOutput(ends.write)
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<6 { queue.send(line) }
        let waiter = Task { await queue.waitForRoom() }
        // Nobody can write a mebibyte to a pipe that is not read, so that it is full whenever the waiter looks.
        async let finish: Void = queue.finish(within: .seconds(60), by: .system)
        let count = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var count = 0
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
                defer { buffer.deallocate() }
                while count < 6 * (line.count + 1) {
                    let read = systemRead(ends.read, buffer)
                    guard read > 0 else { break }
                    count += read
                }
                continuation.resume(returning: count)
            }
        }
        #expect(count == 6 * (line.count + 1))
        await waiter.value
        await finish
        systemClose(ends.read)
        systemClose(ends.write)
    }

    @Test("Whoever waits for a program that reads nothing is let go at the end")
    func stuckReader() async throws {
        let ends = try systemPipe()
        let queue = LineOutput(ends.write)
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<6 { queue.send(line) }
        let (limited, cancelled) = (Task { await queue.waitForRoom() }, Task { await queue.waitForRoom() })
        cancelled.cancel()
        await cancelled.value
        queue.liftLimit()
        await limited.value
        systemClose(ends.read)
        await queue.finish(within: .seconds(60), by: .system)
        #expect(queue.hasFailed)
        systemClose(ends.write)
    }

    @Test("A program that has gone is the end")
    func goneReader() async throws {
        let rig = try Rig()
        systemClose(rig.output.read)
        rig.write(#"{"type":"cmd","cmd":"get_version","id":"1"}"# + "\n")
        try await rig.task.value
        systemClose(rig.input.read)
        systemClose(rig.input.write)
    }
}
