import Foundation
import KamuneStore
import KamuneSystem
import KamuneTestKit
import Synchronization
import Testing

@testable import KamuneDaemon
@testable import KamuneNode

/// Two daemons on real nodes, driven by nothing but the protocol.
@Suite("Daemons on nodes")
struct NodeBackendTests {
    /// A daemon and its program, with a place for files that goes with it.
    private final class Party: Sendable {
        let place: String
        let probe = Probe()
        let daemon: Daemon

        init() throws {
            place = NSTemporaryDirectory() + "/kamune-daemon-" + UUID().uuidString
            try FileManager.default.createDirectory(
                atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            daemon = Daemon(
                backend: NodeBackend(), output: probe,
                environment: DaemonEnvironment(version: "9.9.9", libraryVersion: "0.7.0", keychain: NoKeychain()))
        }

        deinit { try? FileManager.default.removeItem(atPath: place) }

        func send(_ command: String, _ parameters: String = "{}", id: String = "1") async {
            await daemon.receive(
                Array(#"{"type":"cmd","cmd":"\#(command)","id":"\#(id)","params":\#(parameters)}"#.utf8))
        }

        /// Sends a command, and takes what answers it.
        func ask(_ command: String, _ parameters: String = "{}") async throws -> ReadEvent {
            await send(command, parameters, id: "q")
            while true {
                let event = try await probe.next()
                if event.id == "q" { return event }
            }
        }

        func open(_ name: String = "kamune.db") async throws {
            let answer = try await ask(
                "open_storage", #"{"storage_path":"\#(place)/\#(name)","db_no_passphrase":true}"#)
            try #require(answer.summary == "response(opened) #q", "\(answer)")
        }

        func accept() async throws {
            let asked = try await probe.next(named: "verify_peer")
            await send(
                "verify_response", #"{"request_id":\#(try #require(asked.integer("request_id"))),"accepted":true}"#)
        }
    }

    /// Connects two parties, and gives the session's identifier.
    private static func connect(_ a: Party, _ b: Party, transport: String = "tcp") async throws -> String {
        let started = try await a.ask(
            "start_server", #"{"addr":"127.0.0.1:0","transport":"\#(transport)","name":"Alice"}"#)
        let address = try #require(started.text("addr"), "\(started)")
        await b.send("dial", #"{"addr":"\#(address)","transport":"\#(transport)","name":"Bob"}"#, id: "d")
        async let accepted: Void = a.accept()
        try await b.accept()
        try await accepted
        let there = try await b.probe.next(named: "session_started")
        let here = try await a.probe.next(named: "session_started")
        #expect(there.text("session_id") == here.text("session_id"))
        #expect(there.text("peer_name") == "Alice")
        #expect(here.text("peer_name") == "Bob")
        return try #require(there.text("session_id"))
    }

    @Test("They meet at a relay, by the token that the server tells")
    func relay() async throws {
        let relay = try await TestRelay.start()
        let (a, b) = (try Party(), try Party())
        try await a.open()
        try await b.open()
        let address = "\(relay.address)".dropFirst("relay+".count)
        await a.send("start_server", #"{"transport":"relay","relay_addr":"\#(address)","name":"Alice"}"#, id: "s")
        let token = try #require(try await a.probe.next(named: "relay_token").text("token"))
        #expect(try await a.probe.next(named: "server_started").text("addr") == "")
        await b.send(
            "dial", #"{"transport":"relay","relay_addr":"\#(address)","token":"\#(token)","name":"Bob"}"#, id: "d")
        async let accepted: Void = a.accept()
        try await b.accept()
        try await accepted
        let session = try #require(try await b.probe.next(named: "session_started").text("session_id"))
        #expect(try await a.probe.next(named: "session_started").text("session_id") == session)
        await b.send("send_message", #"{"session_id":"\#(session)","data_base64":"aGVsbG8="}"#, id: "m")
        #expect(try await a.probe.next(named: "message_received").text("data_base64") == "aGVsbG8=")
        await a.send("shutdown")
        await b.send("shutdown")
        await relay.stop()
    }

    @Test("They talk, and find again what was said", arguments: ["tcp", "udp"])
    func conversation(_ transport: String) async throws {
        let (a, b) = (try Party(), try Party())
        try await a.open()
        try await b.open()
        let session = try await Self.connect(a, b, transport: transport)
        #expect(
            try await b.ask("send_message", #"{"session_id":"\#(session)","data_base64":"aGVsbG8="}"#).name
                == "message_sent")
        #expect(try await a.probe.next(named: "message_received").text("data_base64") == "aGVsbG8=")
        #expect(
            try await a.ask("send_message", #"{"session_id":"\#(session)","data_base64":"AP8="}"#).name
                == "message_sent")
        #expect(try await b.probe.next(named: "message_received").text("data_base64") == "AP8=")
        #expect(try await a.ask("list_peers").list("peers")?.count == 1)
        #expect(try await a.ask("get_share_info").text("url")?.hasPrefix("\(transport)://127.0.0.1:") == true)

        #expect(try await b.ask("close_session", #"{"session_id":"\#(session)"}"#).summary == "response(closed) #q")
        #expect(try await a.probe.next(named: "session_closed").text("session_id") == session)

        let sessions = try #require(try await a.ask("get_history_sessions").list("sessions"))
        #expect(sessions.count == 1)
        #expect(String(decoding: JSONWriter.line(sessions[0]), as: UTF8.self).contains(#""message_count":2"#))
        _ = try await a.ask("load_history", #"{"session_id":"\#(session)"}"#)
        let messages = try await a.ask("get_history_messages", #"{"session_id":"\#(session)"}"#)
        #expect(messages.list("messages")?.count == 2)
        #expect(messages.description.contains(#"{"text":"hello","#))

        let peers = try await a.ask("list_peers").description
        let key = try #require(try /"public_key":"([^"]+)"/.firstMatch(in: peers)?.1)
        #expect(try await a.ask("delete_peer", #"{"public_key":"\#(key)"}"#).summary == "response(deleted) #q")
        #expect(try await a.ask("list_peers").list("peers")?.isEmpty == true)
        #expect(try await a.ask("get_history_messages", #"{"session_id":"\#(session)"}"#).list("messages")?.count == 2)
        #expect(
            try await a.ask("delete_history_session", #"{"session_id":"\#(session)"}"#).summary
                == "response(deleted) #q")
        #expect(try await a.ask("get_history_sessions").list("sessions")?.isEmpty == true)
        await a.daemon.shutDown()
        await b.daemon.shutDown()
    }

    @Test("Whoever comes again is known, and has another session")
    func again() async throws {
        let (a, b) = (try Party(), try Party())
        try await a.open()
        try await b.open()
        let first = try await Self.connect(a, b)
        let address = try #require(try await a.ask("get_share_info").text("url")).replacing("tcp://", with: "")
        await b.daemon.shutDown()
        #expect(try await a.probe.next(named: "session_closed").text("session_id") == first)

        // The same person, in another process.
        let again = Daemon(
            backend: NodeBackend(), output: b.probe,
            environment: DaemonEnvironment(version: "9.9.9", libraryVersion: "0.7.0", keychain: NoKeychain()))
        _ = try await b.probe.next(named: "response")
        await again.receive(
            Array(
                #"{"type":"cmd","cmd":"open_storage","id":"1","params":{"storage_path":"\#(b.place)/kamune.db","db_no_passphrase":true}}"#
                    .utf8))
        await again.receive(Array(#"{"type":"cmd","cmd":"dial","id":"2","params":{"addr":"\#(address)"}}"#.utf8))
        let second = try await b.probe.next(named: "session_started").text("session_id")
        #expect(try await a.probe.next(named: "session_started").text("session_id") == second)
        #expect(second != first)
        await again.shutDown()
        await a.daemon.shutDown()
    }

    @Test("Incognito leaves no trace")
    func incognito() async throws {
        let (a, b) = (try Party(), try Party())
        try await a.open()
        try await b.open()
        _ = try await a.ask("set_incognito", #"{"enabled":true}"#)
        let pseudonym = try #require(try await a.ask("get_my_name").text("name"))
        let started = try await a.ask("start_server", #"{"addr":"127.0.0.1:0","name":"Alice"}"#)
        #expect(started.text("name") == pseudonym)
        await b.send("dial", #"{"addr":"\#(try #require(started.text("addr")))"}"#)
        async let accepted: Void = a.accept()
        try await b.accept()
        try await accepted
        let session = try #require(try await b.probe.next(named: "session_started").text("session_id"))
        _ = try await b.ask("send_message", #"{"session_id":"\#(session)","data_base64":"aGVsbG8="}"#)
        #expect(try await a.probe.next(named: "message_received").text("data_base64") == "aGVsbG8=")
        #expect(try await a.ask("list_peers").list("peers")?.isEmpty == true)
        #expect(try await a.ask("get_history_sessions").list("sessions")?.isEmpty == true)
        await b.daemon.shutDown()
        await a.daemon.shutDown()
    }

    @Test("The node's own vocabulary is there beside the protocol")
    func vocabulary() async throws {
        let (a, b) = (try Party(), try Party())
        let listed = try #require(try await a.ask("get_capabilities").list("requests"))
        #expect(listed.map { String(decoding: JSONWriter.line($0), as: UTF8.self) }.contains(#""contacts.list""#))
        #expect(try await a.ask("contacts.list").summary == "error(storage_not_opened) #q")
        try await a.open()
        try await b.open()
        let session = try await Self.connect(a, b)
        #expect(try await a.ask("contacts.list").list("contacts")?.count == 1)
        #expect(try await a.ask("contacts.fly").summary == "error(unknown_command) #q")
        #expect(try await a.ask("contacts.get", #"{"contact":7}"#).name == "error")
        // What a program subscribes to comes beside what the protocol tells, and takes nothing away from it.
        _ = try await a.ask("node.subscribe", #"{"events":{"kinds":["message"]}}"#)
        _ = try await b.ask("send_message", #"{"session_id":"\#(session)","data_base64":"aGVsbG8="}"#)
        var names: Set<String> = []
        while names.count < 2 {
            let event = try await a.probe.next()
            if ["message", "message_received"].contains(event.name) { names.insert(event.name) }
        }
        await a.daemon.shutDown()
        await b.daemon.shutDown()
    }

    @Test("A refused peer is not let in")
    func refused() async throws {
        let (a, b) = (try Party(), try Party())
        try await a.open()
        try await b.open()
        let started = try await a.ask("start_server", #"{"addr":"127.0.0.1:0"}"#)
        _ = try await b.ask("set_verification_mode", #"{"mode":2}"#)
        await b.send("dial", #"{"addr":"\#(try #require(started.text("addr")))"}"#, id: "d")
        let asked = try await a.probe.next(named: "verify_peer")
        _ = try await a.ask(
            "verify_response", #"{"request_id":\#(try #require(asked.integer("request_id"))),"accepted":false}"#)
        #expect(try await b.probe.next(named: "error").summary == "error(dial_failed) #d")
        #expect(try await a.ask("list_sessions").list("sessions")?.isEmpty == true)
        await a.daemon.shutDown()
        await b.daemon.shutDown()
    }

    @Test("Where nobody is, and where nothing can be listened on, is an error")
    func failures() async throws {
        let a = try Party()
        try await a.open()
        #expect(try await a.ask("dial", #"{"addr":"127.0.0.1:1"}"#).summary == "error(dial_failed) #q")
        #expect(try await a.ask("dial", #"{"addr":"no port"}"#).summary == "error(dial_failed) #q")
        #expect(try await a.ask("start_server", #"{"addr":"192.0.2.1:9"}"#).summary == "error(create_server_failed) #q")
        #expect(try await a.ask("start_server", #"{"addr":"nonsense"}"#).summary == "error(create_server_failed) #q")
        await a.daemon.shutDown()
    }

    @Test("A storage file of the Go daemon is refused, and stays as it is")
    func goStorage() async throws {
        let a = try Party()
        // The first page of a file of bbolt: its header, and the beginning of the meta page.
        var page = [UInt8](repeating: 0, count: 4_096)
        page[8] = 4
        for (index, byte) in [0xed, 0xda, 0x0c, 0xed, 2, 0, 0, 0, 0, 0x10].enumerated() {
            page[16 + index] = UInt8(byte)
        }
        let file = URL(filePath: a.place + "/kamune.db")
        try Data(page).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
        for parameters in [#""db_no_passphrase":true"#, #""db_no_passphrase":false"#] {
            let answer = try await a.ask("open_storage", #"{"storage_path":"\#(file.path)",\#(parameters)}"#)
            #expect(answer.summary == "error(storage_open_failed) #q")
        }
        #expect(
            try await a.ask("submit_passphrase", #"{"passphrase":"x"}"#).text("error")?.contains("Go daemon") == true)
        #expect(try [UInt8](Data(contentsOf: file)) == page)
        #expect(try FileManager.default.contentsOfDirectory(atPath: a.place) == ["kamune.db"])
        await a.daemon.shutDown()
    }

    @Test("A passphrase opens the store that was made with it, and no other does")
    func passphrase() async throws {
        let a = try Party()
        let path = #"{"storage_path":"\#(a.place)/kamune.db"}"#
        #expect(try await a.ask("open_storage", path).summary == "error(storage_open_failed) #q")
        #expect(try await a.ask("submit_passphrase", #"{"passphrase":"right"}"#).summary == "response(opened) #q")
        #expect(
            try await a.ask("submit_passphrase", #"{"passphrase":"wrong"}"#).summary == "error(storage_open_failed) #q")
        #expect(try await a.ask("submit_passphrase", #"{"passphrase":"right"}"#).summary == "response(opened) #q")
        await a.daemon.shutDown()
        #expect(!a.probe.everything.contains("right\""))
    }
}

/// The same on a node's socket.
@Suite("Daemon's protocol on the socket")
struct SocketDialectTests {
    @Test("Two clients have servers, modes and ends of their own, and one storage")
    func clients() async throws {
        let place = NSTemporaryDirectory() + "/kamune-daemon-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: place) }
        let store = try await Store.openOrCreate(
            at: StoreLocation(path: place + "/kamune.db"), credential: .unprotected)
        let node = Node(store: store)
        let dialect = SocketDialect(
            DaemonEnvironment(version: "9.9.9", libraryVersion: "0.7.0", keychain: NoKeychain())
        ) { node }
        let (first, second) = (Probe(), Probe())
        let clients = [first, second].enumerated().map { number, probe in
            NodeServer.DialectClient(number: number) { probe.send(Array($0.dropLast())) }
        }
        func ask(_ client: Int, _ command: String, _ parameters: String = "{}") async throws -> ReadEvent {
            let line = #"{"type":"cmd","cmd":"\#(command)","id":"q","params":\#(parameters)}"#
            #expect(await dialect.take(Array(line.utf8), named: command, from: clients[client]))
            while true {
                let event = try await [first, second][client].next()
                if event.id == "q" { return event }
            }
        }
        #expect(await !dialect.take([], named: "contacts.list", from: clients[0]))
        #expect(try await ask(0, "open_storage", #"{"storage_path":"/other","db_no_passphrase":true}"#).name == "error")
        for client in 0...1 {
            let path = #"{"storage_path":"\#(place)/kamune.db","db_no_passphrase":true}"#
            #expect(try await ask(client, "open_storage", path).summary == "response(opened) #q")
        }
        #expect(try await ask(0, "start_server", #"{"addr":"127.0.0.1:0"}"#).name == "server_started")
        #expect(try await ask(1, "get_server_status").flag("running") == false)
        #expect(try await ask(1, "start_server", #"{"addr":"127.0.0.1:0"}"#).name == "server_started")
        _ = try await ask(0, "stop_server")
        #expect(try await ask(1, "get_server_status").flag("running") == true)
        await dialect.end(clients[0])
        #expect(try await ask(1, "get_fingerprint").text("b64")?.isEmpty == false)
        await dialect.end(clients[1])
        await node.close()
    }
}
