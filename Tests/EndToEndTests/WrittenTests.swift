import Foundation
import KamuneSystem
import Testing

@Suite(
    "What is delivered is written",
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "a device that is always full is needed"))
struct WrittenTests {
    /// A listener whose output goes to a file of the system.
    private func listener(_ home: Home, into file: String, _ arguments: String) async throws -> (Child, String) {
        let script = #"exec "$0" listen 127.0.0.1:0 --verify all --no-passphrase \#(arguments) >"$1""#
        let listener = try Child(
            program: "/bin/sh", ["-c", script, Binary.path(), file], home: home,
            environment: ["XDG_DATA_HOME": home.path])
        listener.closeInput()
        _ = await listener.errors.wait(within: Child.patience) { Listening.address(in: $0) != nil }
        return (listener, try #require(Listening.address(in: listener.errors.text)))
    }

    @Test(
        "without a store, nothing is called delivered that the output did not take",
        arguments: ["--incognito", "--incognito --keep-listening"])
    func incognitoToFullDisk(arguments: String) async throws {
        let (listener, address) = try await listener(try Home(), into: "/dev/full", arguments)
        let dial = try Child(["dial", address, "--verify", "all", "--reconnect", "0"], home: try Home())
        dial.write("hello\n")
        dial.closeInput()
        await dial.expectExit(7)
        #expect(dial.errors.text.contains("1 message was not delivered"))
        await listener.expectExit(1)
        #expect(listener.errors.text.contains("The output cannot be written: No space left on device"))
    }

    @Test("with a store, what the output did not take is written at the next start, before anything else")
    func storedWithFullDisk() async throws {
        let home = try Home()
        let (listener, address) = try await listener(home, into: "/dev/full", "")
        let dial = try Child(["dial", address, "--verify", "all"], home: try Home())
        dial.write("hello\n")
        dial.closeInput()
        await dial.expectExit(0)
        await listener.expectExit(1)
        let listening = try await Listening(["--verify", "all"], home: home)
        await listening.child.expect("hello\n")
        let again = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
        again.write("later\n")
        again.closeInput()
        await again.expectExit(0)
        listening.child.closeInput()
        await listening.child.expectExit(0)
        #expect(listening.child.output.raw == "hello\nlater\n")
        // Nothing is left, and another output begins with what comes from now on.
        for arguments in [[], ["--output", "mine"]] {
            let last = try await Listening(["--verify", "all"] + arguments, home: home)
            last.child.send(signal: SIGTERM)
            await last.child.expectExit(143)
            #expect(last.child.output.raw.isEmpty)
        }
    }

    private struct Line: Decodable {
        let id: String
        let text: String
    }

    @Test("after a kill the next start writes what is missing; what comes twice is known by its id")
    func killed() async throws {
        let home = try Home()
        let pipe = home.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        // Somebody has it open, and reads nothing.
        let reader = open(pipe, O_RDONLY | O_NONBLOCK)
        defer { systemClose(reader) }
        let (listener, address) = try await listener(home, into: pipe, "--json")
        let dial = try Child(["dial", address, "--verify", "all"], home: try Home())
        let padding = String(repeating: "x", count: 900)
        let texts = (0..<300).map { "\($0) \(padding)" }
        dial.write(texts.map { $0 + "\n" }.joined())
        dial.closeInput()
        await dial.expectExit(0)
        listener.send(signal: SIGKILL)
        await listener.expectExit(128 + SIGKILL)
        var written: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { buffer.deallocate() }
        while case let count = systemRead(reader, buffer), count > 0 { written += buffer[..<count] }
        #expect(written.count > 30_000 && written.count < 150_000, "some of it was written, and not all")

        let next = try await Listening(["--verify", "all", "--json"], home: home)
        await next.child.expect(" \(padding)", times: 1)
        await next.child.expect("299 \(padding)")
        next.child.send(signal: SIGTERM)
        await next.child.expectExit(143)
        let decoder = JSONDecoder()
        // The last line of the one that was killed may be cut off.
        let before = written[...(written.lastIndex(of: UInt8(ascii: "\n")) ?? 0)].split(separator: UInt8(ascii: "\n"))
        let first = try before.map { try decoder.decode(Line.self, from: Data($0)) }
        let second = try next.child.output.raw.split(separator: "\n").map {
            try decoder.decode(Line.self, from: Data($0.utf8))
        }
        let known = Set(first.map(\.id))
        #expect((first + second.filter { !known.contains($0.id) }).map(\.text) == texts)
        #expect(second.map(\.text) == texts.suffix(second.count))
    }
}
