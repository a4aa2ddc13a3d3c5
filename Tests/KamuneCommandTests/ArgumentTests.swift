import ArgumentParser
import Kamune
import Testing

@testable import KamuneCommand

@Suite("Arguments")
struct ArgumentTests {
    private func parse<Command: ParsableCommand>(
        _ arguments: [String], as: Command.Type = Command.self
    ) throws -> Command {
        try #require(try RootCommand.parseAsRoot(arguments) as? Command)
    }

    @Test("dial")
    func dial() throws {
        let plain = try parse(["dial", "host:1"], as: DialCommand.self)
        #expect(plain.address == "host:1")
        #expect(plain.options.verify == .ask)
        #expect(plain.options.configuration.handshakeTimeout == .seconds(30))
        let full = try parse(
            [
                "dial", "--verify", "all", "--name", "Ada", "--identity", "i", "--known-peers", "k",
                "--handshake-timeout",
                "1.5", "--dial-timeout", "2", "--linger", "3", "--log-level", "debug", "host",
            ], as: DialCommand.self)
        #expect(full.options.verify == .all)
        #expect(full.options.name == "Ada")
        #expect(full.options.configuration.handshakeTimeout == .milliseconds(1_500))
        #expect(full.dialTimeout == 2)
        #expect(full.options.linger == 3)
        #expect(full.options.logLevel == .debug)
        #expect(try full.options.peerBook([:]).path == "k")
    }

    @Test("listen")
    func listen() throws {
        #expect(try parse(["listen"], as: ListenCommand.self).address == ":9000")
        #expect(try parse(["listen"], as: ListenCommand.self).continuation == nil)
        #expect(try parse(["listen", "--once"], as: ListenCommand.self).continuation == .once)
        #expect(
            try parse(["listen", "h:1", "--keep-listening"], as: ListenCommand.self).continuation == .keepListening)
    }

    @Test("identities, the demo and the benchmark")
    func others() throws {
        #expect(
            try parse(["identity", "new", "--algorithm", "ml-dsa-65"], as: IdentityNewCommand.self).algorithm
                == .mldsa65)
        #expect(try parse(["identity", "import", "-", "--force"], as: IdentityImportCommand.self).force)
        #expect(try parse(["identity", "export", "--public", "-o", "f"], as: IdentityExportCommand.self).isPublic)
        #expect(try parse(["identity", "show", "f"], as: IdentityShowCommand.self).other == "f")
        #expect(try parse(["demo"], as: DemoCommand.self).algorithm == .ed25519)
        #expect(try parse(["bench", "--json"], as: BenchCommand.self).json)
    }

    @Test(
        "what cannot be meant is refused",
        arguments: [
            ["dial"], ["dial", "a", "b"], ["dial", "a", "--verify", "some"], ["dial", "a", "--handshake-timeout", "0"],
            ["dial", "a", "--handshake-timeout", "nan"], ["dial", "a", "--handshake-timeout", "-1"],
            ["dial", "a", "--dial-timeout", "inf"], ["dial", "a", "--linger", "-1"],
            ["dial", "a", "--log-level", "loud"],
            ["dial", "a", "--name", "\u{200B}"], ["listen", "--once", "--keep-listening"],
            ["identity", "new", "--algorithm", "rsa"], ["bench", "--effort", "0"], ["bench", "--sessions", "-1"],
            ["dance"],
        ])
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { try RootCommand.parseAsRoot(arguments) }
    }

    @Test(
        "an address without a port gets the usual one",
        arguments: [
            ("host", "host:9000"), ("host:1", "host:1"), ("[::1]", "[::1]:9000"), ("[::1]:1", "[::1]:1"),
            ("tcp://host", "tcp://host:9000"), ("tcp://host:1", "tcp://host:1"), ("9000", "9000"), (":9000", ":9000"),
            ("::1", "::1"), ("127.0.0.1", "127.0.0.1:9000"), ("", ""),
        ])
    func addresses(text: String, expected: String) {
        #expect(AddressText.completed(text) == expected)
    }

    @Test("files are where the platform keeps data")
    func directories() throws {
        #expect(try DataDirectory.path(["XDG_DATA_HOME": "/x", "HOME": "/h"]) == "/x/kamune")
        #if canImport(Darwin)
        #expect(try DataDirectory.path(["HOME": "/h"]) == "/h/Library/Application Support/kamune")
        #else
        #expect(try DataDirectory.path(["HOME": "/h"]) == "/h/.local/share/kamune")
        #expect(try DataDirectory.path(["XDG_DATA_HOME": "relative", "HOME": "/h"]) == "/h/.local/share/kamune")
        #endif
        #expect(throws: FileFailure.noHome) { try DataDirectory.path([:]) }
        #expect(DataDirectory.parent(of: "/a/b") == "/a")
        #expect(DataDirectory.parent(of: "/a") == "/")
        #expect(DataDirectory.parent(of: "a") == ".")
    }
}
