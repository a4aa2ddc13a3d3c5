import KamuneCrypto
import KamuneDaemon
import Testing

/// Servers that wait at a relay, and dials through one.
struct RelayTests {
    private static let first = "00112233445566778899aabbccddeeff"
    private static let second = "ffeeddccbbaa99887766554433221100"

    /// A server that waits at a relay, and what is told of that.
    private func serve(_ bench: Bench, password: String = "") async throws -> FakeServer {
        try await bench.open()
        await bench.send(
            "start_server",
            #"{"transport":"relay","relay_addr":"tcp://r:8889","password":"\#(password)","name":"Ada"}"#, id: "s")
        let (question, answer) = try #require(await bench.storage.listens.next())
        #expect(question.address == (password.isEmpty ? "relay+tcp://r:8889" : "relay+tcp://:p%20w@r:8889"))
        let server = FakeServer("relay+tcp://r:8889#\(Self.first)")
        answer.resume(returning: .success(server))
        let token = try await bench.probe.next(named: "relay_token")
        #expect(token.text("token") == Self.first)
        #expect(try await bench.probe.next().list("tokens")?.count == 1)
        let started = try await bench.probe.next()
        #expect(started.summary == "server_started #s")
        #expect(started.text("transport") == "relay")
        #expect(started.text("addr") == "")
        return server
    }

    @Test("a server waits under a word, under another, and under none of them any more")
    func tokens() async throws {
        let bench = try Bench()
        let server = try await serve(bench)
        #expect(try await bench.ask("list_relay_tokens").list("tokens")?.count == 1)

        await bench.send("generate_relay_token", id: "g")
        let (question, answer) = try #require(await bench.storage.listens.next())
        #expect(question.address == "relay+tcp://r:8889")
        let other = FakeServer("relay+tcp://r:8889#\(Self.second)")
        answer.resume(returning: .success(other))
        #expect(try await bench.probe.next().list("tokens")?.count == 2)
        let generated = try await bench.probe.next()
        #expect(generated.summary == "response #g")
        #expect(generated.text("token") == Self.second)

        // Whoever comes by either comes to the same server.
        other.sessions.add(FakeSession("one"))
        let changed = try await bench.probe.next()
        #expect(changed.name == "relay_tokens")
        #expect(changed.description.contains(#""consumed":true"#))
        #expect(try await bench.probe.next(named: "session_started").text("session_id") == "one")
        server.sessions.add(FakeSession("two"))
        #expect(try await bench.probe.next(named: "session_started").text("session_id") == "two")

        await bench.send("remove_relay_token", #"{"token":"\#(Self.first)"}"#, id: "r")
        #expect(try await bench.probe.next(named: "relay_tokens").list("tokens")?.count == 1)
        #expect(try await bench.probe.next().summary == "response(removed) #r")
        #expect(await server.sessions.next() == nil)
        #expect(
            try await bench.ask("remove_relay_token", #"{"token":"\#(Self.first)"}"#).summary
                == "error(token_not_found) #1")
        #expect(try await bench.ask("get_server_status").flag("running") == true)

        await bench.send("stop_server", id: "x")
        _ = try await bench.probe.next(named: "server_stopped")
        #expect(await other.sessions.next() == nil)
        #expect(try await bench.probe.next(named: "response").summary == "response(stopped) #x")
        #expect(try await bench.ask("list_relay_tokens").list("tokens")?.isEmpty == true)
        #expect(try await bench.ask("generate_relay_token").summary == "error(relay_not_configured) #1")
    }

    @Test("a relay that refuses is said to, and the server that runs goes on")
    func refusal() async throws {
        let bench = try Bench()
        _ = try await serve(bench)
        await bench.send("generate_relay_token", id: "g")
        let (_, answer) = try #require(await bench.storage.listens.next())
        answer.resume(returning: .failure(DaemonError(.createServerFailed, "full")))
        #expect(try await bench.probe.next().summary == "error(relay_listen_failed) #g")
        #expect(try await bench.ask("get_server_status").flag("running") == true)
        #expect(try await bench.ask("list_relay_tokens").list("tokens")?.count == 1)
    }

    @Test("a server that the relay does not take is not started")
    func refusedStart() async throws {
        let bench = try Bench()
        try await bench.open()
        await bench.send("start_server", #"{"transport":"relay","relay_addr":"r:1"}"#, id: "s")
        let (question, answer) = try #require(await bench.storage.listens.next())
        #expect(question.address == "relay+ws://r:1")
        answer.resume(returning: .failure(DaemonError(.createServerFailed, "unknown")))
        #expect(
            try await bench.probe.next(3) == [
                "status_changed(connecting)", "status_changed(error)", "error(relay_listen_failed) #s",
            ])
        #expect(try await bench.ask("get_server_status").flag("running") == false)
    }

    @Test("a word from two keys is the one that the Go daemon computes")
    func fromKeys() async throws {
        let bench = try Bench()
        _ = try await serve(bench)
        let peer = try Identity.generate(.ed25519).publicKey
        await bench.send("generate_relay_token", #"{"peer_pub_b64":"\#(peer.fingerprint.base64)"}"#, id: "g")
        let (question, answer) = try #require(await bench.storage.listens.next())
        let keys = [bench.storage.identity, peer].map { Array($0.spki.suffix(32)) }
            .sorted { $0.lexicographicallyPrecedes($1) }
        let token = SHA256Digest.hash(keys[0] + keys[1]).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        #expect(question.address == "relay+tcp://r:8889#\(token)")
        answer.resume(returning: .success(FakeServer(question.address)))
        let changed = try await bench.probe.next()
        #expect(changed.description.contains(#""mode":"static""#))
        #expect(try await bench.probe.next().text("token") == token)
    }

    @Test("what a friend needs is told as the Go daemon tells it")
    func share() async throws {
        let bench = try Bench()
        _ = try await serve(bench, password: "p w")
        let info = try await bench.ask("get_share_info")
        #expect(info.text("url") == "relay://r:8889?token=\(Self.first)&scheme=tcp&password=1")
        #expect(info.text("transport") == "relay")
        // The key itself is nowhere.
        #expect(!bench.probe.everything.contains("p w"))
        #expect(!bench.probe.everything.contains("p%20w"))
    }

    @Test(
        "a dial goes through the relay, with its key and word",
        arguments: [
            ("tcp://r:1", "relay+tcp://:k@r:1#00ff"), ("r:1", "relay+ws://:k@r:1#00ff"),
            ("wss://r", "relay+wss://:k@r#00ff"), ("tls://r:1?insecure=true", "relay+tls://:k@r:1?insecure=true#00ff"),
            ("tcp://r:1?insecure=true", "relay+tcp://:k@r:1#00ff"), (" ws://r:1 ", "relay+ws://:k@r:1#00ff"),
        ])
    func dial(relay: String, address: String) async throws {
        let bench = try Bench()
        try await bench.open()
        await bench.send("dial", #"{"transport":"relay","relay_addr":"\#(relay)","token":"00ff","password":"k"}"#)
        let (question, answer) = try #require(await bench.storage.dials.next())
        #expect(question.address == address)
        answer.resume(returning: .success(FakeSession("s")))
        let started = try await bench.probe.next(named: "session_started")
        #expect(started.summary == "session_started #1")
        #expect(started.text("transport_type") == "relay")
    }
}
