import ArgumentParser
import Foundation
import Kamune
import KamuneStore
import Logging
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
        #expect(plain.whom == "host:1")
        #expect(plain.options.verify == .ask)
        #expect(plain.options.configuration.handshakeTimeout == .seconds(30))
        let full = try parse(
            [
                "dial", "--verify", "all", "--name", "Ada", "--identity", "i", "--db", "d", "--passphrase-fd", "3",
                "--incognito", "--handshake-timeout", "1.5", "--dial-timeout", "2", "--linger", "3", "--log-level",
                "debug", "host",
            ], as: DialCommand.self)
        #expect(full.options.verify == .all)
        #expect(full.options.name == "Ada")
        #expect(full.options.configuration.handshakeTimeout == .milliseconds(1_500))
        #expect(full.dialTimeout == 2)
        #expect(full.options.linger == 3)
        #expect(full.options.logLevel == .debug)
        #expect(try full.options.store.location(EnvironmentVariables([:])).path == "d")
        #expect(full.options.store.passphraseDescriptor == 3)
        #expect(full.options.incognito && !plain.options.incognito)
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
        let store = try parse(["bench", "--store", "--messages", "5000", "--directory", "/d"], as: BenchCommand.self)
        #expect(store.store && store.messages == 5_000 && store.directory == "/d")
    }

    @Test(
        "what cannot be meant is refused",
        arguments: [
            ["dial"], ["dial", "a", "b"], ["dial", "a", "--verify", "some"], ["dial", "a", "--handshake-timeout", "0"],
            ["dial", "a", "--handshake-timeout", "nan"], ["dial", "a", "--handshake-timeout", "-1"],
            ["dial", "a", "--dial-timeout", "inf"], ["dial", "a", "--linger", "-1"],
            ["dial", "a", "--log-level", "loud"], ["dial", "a", "--congestion", "none"],
            ["dial", "a", "--name", "\u{200B}"], ["listen", "--once", "--keep-listening"],
            ["identity", "new", "--algorithm", "rsa"], ["bench", "--effort", "0"], ["bench", "--sessions", "-1"],
            ["bench", "--store", "--messages", "999"],
            ["dance"], ["peers", "list", "--passphrase-fd", "-1"], ["peers", "list", "--passphrase-fd", "stdin"],
            ["peers", "list", "--no-passphrase", "--passphrase-fd", "0"], ["peers", "expiry", "0"],
            ["peers", "expiry", "soon"], ["peers", "rename", "1", "\u{200B}"],
            ["peers", "rename", "1", String(repeating: "x", count: 65)], ["history", "search"],
            ["history", "search", " "],
            ["history", "search", "x", "--limit", "0"], ["history", "search", "x", "--from", "last week"],
            ["history", "export", "--format", "html"], ["history", "delete"], ["history", "delete", "Ada", "--all"],
            ["history", "delete", "--session", "1", "--before", "today"], ["history", "show", "--limit", "0"],
            ["identity", "name", "x", "--none"], ["identity", "name", " "],
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
            ("udp://host?turbo", "udp://host:9000?turbo"),
            ("udp://[::1]:1?congestion=cubic", "udp://[::1]:1?congestion=cubic"),
        ])
    func addresses(text: String, expected: String) {
        #expect(AddressText.completed(text) == expected)
    }

    @Test("where everything is kept: an argument, a variable, the platform's place")
    func locations() throws {
        let options = try parse(["peers", "list"], as: PeersListCommand.self).store
        // An empty one is a script's variable that is not set, and no wish for the default.
        #expect(throws: (any Error).self) { try parse(["peers", "list", "--db", ""], as: PeersListCommand.self) }
        #expect(throws: (any Error).self) { try parse(["peers", "list", "--db="], as: PeersListCommand.self) }
        func path(_ variables: [String: String], _ options: StoreOptions) throws -> String {
            try options.location(EnvironmentVariables(variables)).path
        }
        #expect(try path(["KAMUNE_DB_PATH": "/x/y.db", "XDG_DATA_HOME": "/z"], options) == "/x/y.db")
        let named = try parse(["peers", "list", "--db", "n.db"], as: PeersListCommand.self).store
        #expect(try path(["KAMUNE_DB_PATH": "/x/y.db"], named) == "n.db")
        #if canImport(Darwin)
        #expect(try path(["HOME": "/h"], options) == "/h/Library/Application Support/kamune/kamune.db")
        #else
        #expect(try path(["XDG_DATA_HOME": "/z"], options) == "/z/kamune/kamune.db")
        #expect(try path(["HOME": "/h"], options) == "/h/.local/share/kamune/kamune.db")
        #expect(try path(["HOME": "/h", "XDG_DATA_HOME": "z"], options) == "/h/.local/share/kamune/kamune.db")
        #endif
        #expect(FilePath("/a/b").parent == "/a")
        #expect(FilePath("/a").parent == "/")
        #expect(FilePath("a").parent == ".")
    }

    @Test("a path that is not UTF-8 is named as such, and no other one is taken for it")
    func pathsOfBytes() throws {
        let latin = Array("/d/m".utf8) + [0xFC] + Array("sli".utf8)
        let options = try parse(
            ["peers", "list", "--db", ArgumentText.encode(latin)], as: PeersListCommand.self
        ).store
        let refused = FileFailure.notText(path: FilePath(bytes: latin))
        #expect(throws: refused) { try options.location(EnvironmentVariables([:])) }
        let variable = EnvironmentVariables(entries: [Array("KAMUNE_DB_PATH=".utf8) + latin])
        let plain = try parse(["peers", "list"], as: PeersListCommand.self).store
        #expect(throws: refused) { try plain.location(variable) }
        // What does not matter is not looked at.
        let home = EnvironmentVariables(entries: [Array("KAMUNE_DB_PATH=/k".utf8), Array("HOME=".utf8) + latin])
        #expect(try plain.location(home).path == "/k")
        // Files of our own may have any name.
        let file = try parse(["identity", "show", ArgumentText.encode(latin)], as: IdentityShowCommand.self).other
        #expect(file?.bytes == latin)
    }

    @Test(
        "an argument goes through the parser and comes out as it was",
        arguments: [
            [], Array("host:1".utf8), Array("größe 🔒".utf8), [0xFF], [0x61, 0xC3], [0xC3, 0x28], [0xED, 0xA0, 0x80],
            Array("\u{10FE41}x".utf8), Array("\u{10FEFF}".utf8) + [0x80], Array("\u{10FFFF}".utf8),
        ] as [[UInt8]])
    func argumentBytes(bytes: [UInt8]) {
        let text = ArgumentText.encode(bytes)
        #expect(ArgumentText.decode(text) == bytes)
        let isPlain = String(validating: bytes, as: UTF8.self).map { ArgumentText.isText($0) } ?? false
        #expect(ArgumentText.isText(text) == isPlain)
    }

    @Test("peers and history")
    func kept() throws {
        #expect(try parse(["peers"], as: PeersListCommand.self).json == false)
        #expect(try parse(["peers", "rename", "2", "Bob"], as: PeersRenameCommand.self).name == "Bob")
        #expect(try parse(["peers", "expiry"], as: PeersExpiryCommand.self).term == nil)
        #expect(try parse(["peers", "expiry", "NEVER"], as: PeersExpiryCommand.self).term == .never)
        #expect(try parse(["peers", "expiry", "30"], as: PeersExpiryCommand.self).term == .days(30))
        let verified = try parse(["peers", "expiry", "--verified", "365"], as: PeersExpiryCommand.self)
        #expect(verified.term == nil && verified.verified == .days(365))
        let search = try parse(
            [
                "history", "search", "a", "b", "--peer", "Ada", "--from", "2026-07-01T00:00Z", "--until",
                "2026-07-02T00:00Z",
            ],
            as: HistorySearchCommand.self)
        #expect(search.words == ["a", "b"] && search.peer == "Ada")
        let period = search.period.resolved(at: Date(timeIntervalSince1970: 0))
        #expect(period.contains(Date(timeIntervalSince1970: 1_782_864_000)))
        #expect(!period.contains(Date(timeIntervalSince1970: 1_782_863_999)))
        // The minute that was named is still within.
        #expect(period.contains(Date(timeIntervalSince1970: 1_782_950_459)))
        #expect(!period.contains(Date(timeIntervalSince1970: 1_782_950_460)))
        #expect(try parse(["history", "export", "--format", "jsonl"], as: HistoryExportCommand.self).format == .jsonl)
        #expect(try parse(["restore", "f", "--merge"], as: RestoreCommand.self).merge)
    }
}
