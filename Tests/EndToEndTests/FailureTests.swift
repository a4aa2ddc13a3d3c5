import KamuneSystem
import KamuneTestKit
import Testing

@Suite("Exit codes and sentences for what goes wrong")
struct FailureTests {
    /// Runs a command to its end, with nothing to send.
    private func run(_ arguments: [String], home: Home? = nil) async throws -> (code: Int32?, errors: String) {
        let child = try Child(arguments, home: try home ?? Home())
        child.closeInput()
        let code = await child.exitCode()
        return (code, child.errors.text)
    }

    /// The sentence that the program ends with.
    private func sentence(_ errors: String) -> String {
        String(errors.split(separator: "\n").last { $0.hasPrefix("kamune: ") } ?? "")
    }

    @Test("nobody listens")
    func unreachable() async throws {
        // A port that was ours a moment ago.
        let address = try Server(.silent).address
        let result = try await run(["dial", address])
        #expect(result.code == 4)
        #expect(sentence(result.errors).contains("Nobody listens at \(address)"))
    }

    @Test("a name that does not resolve")
    func unknownName() async throws {
        let result = try await run(["dial", "no-such-host.invalid:9000"])
        #expect(result.code == 4)
        #expect(sentence(result.errors).contains("could not be found"))
    }

    @Test("an address that is none", arguments: ["", "host:99999", "host:", "[::1:9000", "ftp://host:1"])
    func badAddress(address: String) async throws {
        let result = try await run(["dial", address])
        #expect(result.code == 64)
        #expect(sentence(result.errors).contains("is not a usable address"))
    }

    @Test("a silent server")
    func timeout() async throws {
        let server = try Server(.silent)
        let result = try await run(["dial", server.address, "--handshake-timeout", "0.3"])
        #expect(result.code == 5)
        #expect(sentence(result.errors).contains("in time"))
    }

    @Test(
        "a server that is no kamune",
        arguments: [
            NamedBytes("an empty frame", Server.frame([])), NamedBytes("three bytes", Server.frame([1, 2, 3])),
            NamedBytes("zeros", Server.frame([UInt8](repeating: 0, count: 1_216))),
            NamedBytes("the longest frame", Server.frame([UInt8](repeating: 0xff, count: 65_535))),
        ])
    func garbage(_ answer: NamedBytes) async throws {
        let server = try Server(.says(answer.bytes))
        let result = try await run(["dial", server.address])
        #expect(result.code == 6)
        #expect(!sentence(result.errors).isEmpty)
    }

    @Test("a server that hangs up")
    func hangUp() async throws {
        let server = try Server(.hangsUp)
        let result = try await run(["dial", server.address])
        #expect(result.code == 7)
        #expect(sentence(result.errors).contains("closed the connection"))
    }

    @Test("without a terminal, strangers are refused, and the listener goes on")
    func refused() async throws {
        let home = try Home()
        let listening = try await Listening(home: home)
        let refusedByPeer = try await run(["dial", listening.address, "--verify", "all"])
        #expect(refusedByPeer.code == 2)
        #expect(sentence(refusedByPeer.errors).contains("waiting to be accepted"))
        let requests = try Child(["requests", "list", "--json"], home: home)
        requests.closeInput()
        await requests.expectExit(0)
        #expect(requests.output.raw.contains("\"is_proven\":false"))

        let open = try await Listening(["--verify", "all"], home: try Home())
        for policy in ["ask", "known"] {
            let refusedByUs = try await run(["dial", open.address, "--verify", policy])
            #expect(refusedByUs.code == 3)
            #expect(sentence(refusedByUs.errors).contains("not known"))
        }
        // Neither listener has ended.
        let accepted = try await run(["dial", open.address, "--verify", "all"])
        #expect(accepted.code == 0)
        listening.child.send(signal: SIGTERM)
        await listening.child.expectExit(143)
    }

    @Test("who is refused by a rule hears that it is refused")
    func refusedByRule() async throws {
        let listening = try await Listening(["--verify", "known"], home: try Home())
        let result = try await run(["dial", listening.address, "--verify", "all"])
        #expect(result.code == 2)
        #expect(sentence(result.errors).contains("has refused us"))
    }

    @Test("a word that is neither a name nor an address is told as such")
    func nobody() async throws {
        let result = try await run(["dial", "a b"])
        #expect(result.code == 4)
        #expect(sentence(result.errors).contains("nobody whom you know, and no address"))
    }

    @Test("a port in use, and an address that is not ours")
    func cannotListen() async throws {
        let listening = try await Listening(home: try Home())
        let inUse = try await run(["listen", listening.address])
        #expect(inUse.code == 8)
        #expect(sentence(inUse.errors).contains("already listens on \(listening.address)"))
        let foreign = try await run(["listen", "192.0.2.1:9000"])
        #expect(foreign.code == 8)
        #expect(sentence(foreign.errors).contains("does not belong to this machine"))
    }

    @Test("output that cannot be written")
    func closedOutput() async throws {
        let home = try Home()
        let child = try Child(
            program: "/bin/sh", ["-c", "\"$0\" demo >&-", try Binary.path()], home: home,
            environment: ["HOME": home.path])
        await child.expectExit(1)
        #expect(child.errors.text.contains("The output cannot be written"))
    }

    @Test("standard streams that are closed are never taken for something else")
    func closedStreams() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        listening.child.closeInput()
        let home = try Home()
        let child = try Child(
            program: "/bin/sh",
            [
                "-c", "\"$0\" dial \"$1\" --verify all --no-passphrase <&- >&- 2>&-", try Binary.path(),
                listening.address,
            ],
            home: home, environment: ["XDG_DATA_HOME": home.path])
        await child.expectExit(0)
        await listening.child.expectExit(0)
        #expect(listening.child.output.raw.isEmpty)
    }
}
