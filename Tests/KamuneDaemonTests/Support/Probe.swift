import Foundation
import KamuneCrypto
import KamuneDaemon
import KamuneSystem
import KamuneTestKit
import Synchronization
import Testing

/// An event of the daemon, as a program reads it.
struct ReadEvent: Sendable, CustomStringConvertible {
    let name: String
    let id: String
    let data: JSONValue
    let description: String

    init(_ line: [UInt8]) throws {
        description = String(decoding: line, as: UTF8.self)
        guard case .object(let members) = try JSONParser.parse(line) else { throw Unreadable() }
        let values = Dictionary(members.map { ($0.name, $0.value) }) { $1 }
        guard case .text("evt") = values["type"], case .text(let name) = values["evt"], let data = values["data"] else {
            throw Unreadable()
        }
        self.name = name
        self.data = data
        if case .text(let id) = values["id"] { self.id = id } else { id = "" }
    }

    struct Unreadable: Error {}

    /// A member of the data.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = data else { return nil }
        return members.last { $0.name == name }?.value
    }

    func text(_ name: String) -> String? { if case .text(let text) = self[name] { text } else { nil } }
    func integer(_ name: String) -> Int64? { if case .integer(let integer) = self[name] { integer } else { nil } }
    func flag(_ name: String) -> Bool? { if case .flag(let flag) = self[name] { flag } else { nil } }
    func list(_ name: String) -> [JSONValue]? { if case .list(let list) = self[name] { list } else { nil } }

    /// The event with its status, as sequences are compared. Log entries are left out of those.
    var summary: String {
        let status = text("status").map { "(\($0))" } ?? text("code").map { "(\($0))" } ?? ""
        return name + status + (id.isEmpty ? "" : " #\(id)")
    }
}

/// Takes the daemon's lines and checks each.
final class Probe: DaemonOutput {
    private let lines = Line<[UInt8]>()
    private let all = Mutex<[[UInt8]]>([])

    func send(_ line: [UInt8]) {
        all.withLock { $0.append(line) }
        lines.add(line)
    }
    func waitForRoom() async {}

    /// The next event that is no log entry.
    func next() async throws -> ReadEvent {
        while true {
            let line = try #require(await lines.next())
            let event = try ReadEvent(line)
            // What is beyond that daemon's protocol has a dot in its name, or is a message of the node's.
            if DaemonEvent(rawValue: event.name) != nil { try GoSchemas.shared?.check(event) }
            if event.name != "log_entry" { return event }
        }
    }

    /// The next events, as sequences are compared.
    func next(_ count: Int) async throws -> [String] {
        var summaries: [String] = []
        for _ in 0..<count { summaries.append(try await next().summary) }
        return summaries
    }

    /// Skips what comes before an event of this name.
    func next(named name: String) async throws -> ReadEvent {
        while true {
            let event = try await next()
            if event.name == name { return event }
        }
    }

    var everything: String { all.withLock { $0 }.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n") }
}

/// A daemon, and the program that speaks to it.
struct Bench {
    let clock = ManualClock()
    let probe = Probe()
    let storage: FakeStorage
    let backend: FakeBackend
    let keychain: FakeKeychain
    let daemon: Daemon

    init(passphrase: String? = nil, keychain: FakeKeychain = FakeKeychain()) throws {
        storage = try FakeStorage()
        backend = FakeBackend(storage)
        self.keychain = keychain
        let environment = DaemonEnvironment(
            version: "9.9.9", libraryVersion: "0.7.0",
            passphrase: passphrase.map { JSONSecret(SecretBytes(copying: Array($0.utf8))) }, keychain: keychain)
        daemon = Daemon(backend: backend, output: probe, environment: environment, time: clock)
    }

    /// Sends a command.
    func send(_ command: String, _ parameters: String = "{}", id: String = "1") async {
        await daemon.receive(Array(#"{"type":"cmd","cmd":"\#(command)","id":"\#(id)","params":\#(parameters)}"#.utf8))
    }

    /// Sends a command, and takes the one event that comes of it.
    func ask(_ command: String, _ parameters: String = "{}") async throws -> ReadEvent {
        await send(command, parameters)
        return try await probe.next()
    }

    /// Opens the store, and takes what is told of that.
    func open() async throws {
        await send("open_storage", #"{"storage_path":"/s/kamune.db","db_no_passphrase":true}"#)
        _ = try await probe.next(named: "response")
    }

    /// Dials, and takes what is told of that.
    func connect(_ session: FakeSession) async throws {
        await send("dial", #"{"addr":"h:1"}"#, id: "d")
        let (_, answer) = try #require(await storage.dials.next())
        answer.resume(returning: .success(session))
        _ = try await probe.next(3)
    }

    /// Starts a server, and takes what is told of that.
    func serve() async throws -> FakeServer {
        let server = FakeServer("127.0.0.1:9000")
        await send("start_server", #"{"addr":"127.0.0.1:9000"}"#, id: "s")
        let (_, answer) = try #require(await storage.listens.next())
        answer.resume(returning: .success(server))
        _ = try await probe.next(named: "server_started")
        return server
    }
}

/// A keychain in memory.
final class FakeKeychain: Keychain {
    let kept = Mutex<[KeychainEntry: JSONSecret]>([:])

    func passphrase(for entry: KeychainEntry) async -> JSONSecret? { kept.withLock { $0[entry] } }
    func keep(_ passphrase: JSONSecret, for entry: KeychainEntry) async -> Bool {
        kept.withLock { $0[entry] = passphrase }
        return true
    }
    func remove(_ entry: KeychainEntry) async -> Bool { kept.withLock { $0.removeValue(forKey: entry) } != nil }
}
