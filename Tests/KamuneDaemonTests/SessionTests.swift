import Foundation
import KamuneCrypto
import KamuneDaemon
import KamuneTestKit
import Synchronization
import Testing

@Suite("Server, sessions, verification")
struct SessionTests {
    @Test("Messages that come one after another are stored together, and each is answered as if it had come alone")
    func messagesTogether() async throws {
        let bench = try Bench()
        try await bench.open()
        let (first, second) = (FakeSession("s1"), FakeSession("s2"))
        try await bench.connect(first)
        try await bench.connect(second)
        func message(_ id: Int, _ session: String, _ base64: String) -> String {
            #"{"type":"cmd","cmd":"send_message","id":"\#(id)","params":{"session_id":"\#(session)","data_base64":"\#(base64)"}}"#
        }
        let large = String(repeating: "AAAA", count: 2_000)
        let lines = [
            message(1, "s1", "YQ=="), message(2, "s1", "Yg=="), "", message(3, "s1", "Yw=="), message(4, "s2", "ZA=="),
            message(5, "s1", "!"), message(6, "s1", "ZQ=="), message(7, "s1", large),
            #"{"type":"cmd","cmd":"get_version","id":"8"}"#, message(9, "none", "Zg=="), message(10, "s1", "Zw=="),
            message(11, "s1", "aA=="),
        ]
        await bench.daemon.receive(contentsOf: lines.map { Array($0.utf8) })
        var answers: [String] = []
        while answers.last?.hasSuffix("#11") != true {
            let event = try await bench.probe.next()
            if !event.id.isEmpty { answers.append(event.summary) }
        }
        #expect(
            answers == [
                "message_sent #1", "message_sent #2", "message_sent #3", "message_sent #4",
                "error(invalid_base64) #5", "message_sent #6", "error(send_message_failed) #7", "response #8",
                "error(session_not_found) #9", "message_sent #10", "message_sent #11",
            ])
        #expect(first.sent.withLock { $0 } == ["a", "b", "c", "e", "g", "h"].map { Array($0.utf8) })
        #expect(first.sendings.withLock { $0 } == [3, 1, 2])
        #expect(second.sent.withLock { $0 } == [Array("d".utf8)])
    }

    // MARK: Server

    @Test("A server starts, serves and stops, and says so as the Go daemon does")
    func server() async throws {
        let bench = try Bench()
        try await bench.open()
        #expect(try await bench.ask("get_share_info").summary == "error(server_not_running) #1")
        await bench.send("start_server", #"{"addr":"127.0.0.1:0","transport":"udp","name":"Ada"}"#)
        #expect(try await bench.probe.next().summary == "status_changed(connecting)")
        let (question, answer) = try #require(await bench.storage.listens.next())
        #expect(question.address == "udp://127.0.0.1:0")
        #expect(question.terms.name == "Ada")
        #expect(!question.terms.isIncognito)
        #expect(try await bench.ask("start_server", #"{"addr":"x:1"}"#).summary == "error(server_start_in_progress) #1")
        let server = FakeServer("127.0.0.1:9000")
        answer.resume(returning: .success(server))
        #expect(
            try await bench.probe.next(4) == [
                "fingerprint_changed", "server_running", "status_changed(connected)", "history_updated",
            ])
        let started = try await bench.probe.next()
        #expect(started.summary == "server_started #1")
        #expect(started.text("addr") == "127.0.0.1:9000")
        #expect(started.text("name") == "Ada")
        #expect(started.text("public_key") == bench.storage.identity.fingerprint.base64)
        #expect(started.list("emoji")?.count == 8)
        #expect(try await bench.ask("start_server", #"{"addr":"x:1"}"#).summary == "error(server_already_running) #1")
        let share = try await bench.ask("get_share_info")
        #expect(share.text("url") == "udp://127.0.0.1:9000")
        #expect(share.text("port") == "9000")
        let status = try await bench.ask("get_server_status")
        #expect(status.flag("running") == true)
        #expect(status.text("transport") == "udp")
        #expect(status.text("name") == "Ada")

        await bench.send("stop_server", id: "2")
        #expect(
            try await bench.probe.next(5) == [
                "status_changed(disconnected)", "server_running", "status_changed(disconnected)", "server_stopped",
                "response(stopped) #2",
            ])
        #expect(try await bench.ask("get_server_status").flag("running") == false)
        await bench.send("restart_server", id: "3")
        #expect(
            try await bench.probe.next(4) == [
                "status_changed(disconnected)", "server_stopped", "response(stopped) #3", "status_changed(connecting)",
            ])
        let (again, _) = try #require(await bench.storage.listens.next())
        #expect(again.address == "udp://127.0.0.1:0")
    }

    @Test("A server that cannot listen says so, and another can be started")
    func failingServer() async throws {
        let bench = try Bench()
        try await bench.open()
        await bench.send("start_server", #"{"addr":"127.0.0.1:9000"}"#)
        let (_, answer) = try #require(await bench.storage.listens.next())
        answer.resume(returning: .failure(DaemonError(.createServerFailed, "in use")))
        #expect(
            try await bench.probe.next(3) == [
                "status_changed(connecting)", "status_changed(error)", "error(create_server_failed) #1",
            ])
        _ = try await bench.serve()
    }

    @Test("A start is cancelled, and what comes of it then is closed")
    func cancelledStart() async throws {
        let bench = try Bench()
        try await bench.open()
        #expect(try await bench.ask("cancel_start_server").summary == "error(server_start_not_in_progress) #1")
        await bench.send("start_server", #"{"addr":"127.0.0.1:9000"}"#)
        let (_, answer) = try #require(await bench.storage.listens.next())
        await bench.send("cancel_start_server", id: "2")
        #expect(
            try await bench.probe.next(4) == [
                "status_changed(connecting)", "status_changed(disconnected)", "server_start_cancelled",
                "response(cancelled) #2",
            ])
        let late = FakeServer("127.0.0.1:9000")
        answer.resume(returning: .success(late))
        #expect(await late.sessions.next() == nil)
        #expect(try await bench.ask("get_server_status").flag("running") == false)
        _ = try await bench.serve()
    }

    // MARK: Sessions

    @Test("A dialed session is followed from its beginning to its end")
    func dialed() async throws {
        let bench = try Bench()
        try await bench.open()
        await bench.send("dial", #"{"addr":"h:1","transport":"tcp","name":"Ada"}"#)
        #expect(try await bench.probe.next().summary == "status_changed(connecting)")
        let (question, answer) = try #require(await bench.storage.dials.next())
        #expect(question.address == "tcp://h:1")
        let session = FakeSession("x", version: "0.6.1", messageCount: 3)
        answer.resume(returning: .success(session))
        #expect(try await bench.probe.next().name == "version_warning")
        let started = try await bench.probe.next()
        #expect(started.summary == "session_started #1")
        #expect(started.text("session_id") == "x")
        #expect(started.text("peer_name") == "Bob")
        #expect(started.text("cause") == "dial")
        #expect(started.text("transport_type") == "tcp")
        #expect(started.text("remote_addr") == "h:1")
        #expect(started.text("session_started_at") == "2026-01-01T00:00:00Z")
        #expect(started.integer("msg_count") == 3)
        #expect(started.flag("is_server") == false)
        #expect(try await bench.probe.next().text("message") == "Connected to h:1")

        let sent = #"{"session_id":"x","data_base64":"aGk="}"#
        await bench.send("send_message", sent, id: "2")
        let confirmed = try await bench.probe.next()
        #expect(confirmed.summary == "message_sent #2")
        #expect(confirmed.text("timestamp") == "2026-01-01T00:00:01.5Z")
        #expect(try await bench.probe.next().name == "session_updated")
        #expect(session.sent.withLock { $0 } == [Array("hi".utf8)])

        session.events.add(.message([0, 0xff], writtenAt: Date(timeIntervalSince1970: 1)))
        let message = try await bench.probe.next()
        #expect(message.name == "message_received")
        #expect(message.text("data_base64") == "AP8=")
        #expect(message.text("timestamp") == "1970-01-01T00:00:01Z")
        #expect(try await bench.probe.next().name == "session_updated")

        session.events.add(.reconnecting(attempt: 1))
        let reconnecting = try await bench.probe.next()
        #expect(reconnecting.name == "session_reconnecting")
        #expect(reconnecting.integer("max_attempts") == 10)
        session.events.add(.reconnectionFailed("no"))
        session.events.add(.reconnected)
        #expect(try await bench.probe.next().name == "session_reconnected")

        let info = try await bench.ask("get_session_info", #"{"session_id":"x"}"#)
        #expect(info.text("type") == "live")
        #expect(info.integer("msg_count") == 5)
        await bench.send("rename_session", #"{"session_id":"x","name":"Robert"}"#)
        #expect(try await bench.probe.next(2) == ["session_updated", "response(ok) #1"])
        #expect(try await bench.ask("list_sessions").description.contains(#""peer_name":"Robert""#))

        session.events.add(.ended(.closedByPeer))
        session.events.finish()
        #expect(
            try await bench.probe.next(3) == ["session_closed", "status_changed(disconnected)", "history_updated"])
        #expect(try await bench.ask("send_message", sent).summary == "error(session_not_found) #1")
        #expect(try await bench.ask("list_sessions").list("sessions")?.isEmpty == true)
    }

    @Test("A dial that fails says so")
    func failedDial() async throws {
        let bench = try Bench()
        try await bench.open()
        await bench.send("dial", #"{"addr":"h:1"}"#)
        let (_, answer) = try #require(await bench.storage.dials.next())
        answer.resume(returning: .failure(DaemonError(.dialFailed, "nobody is there")))
        #expect(
            try await bench.probe.next(3) == [
                "status_changed(connecting)", "status_changed(error)", "error(dial_failed) #1",
            ])
    }

    @Test("An incoming session is told, and closed by a command")
    func incoming() async throws {
        let bench = try Bench()
        try await bench.open()
        let server = try await bench.serve()
        server.sessions.add(FakeSession("y"))
        let started = try await bench.probe.next()
        #expect(started.summary == "session_started")
        #expect(started.text("cause") == "incoming")
        #expect(started.text("transport_type") == "tcp")
        #expect(started.flag("is_server") == true)
        await bench.send("close_session", #"{"session_id":"y"}"#)
        #expect(
            try await bench.probe.next(5) == [
                "status_changed(disconnected)", "history_updated", "session_closed", "response(closed) #1",
                "status_changed(disconnected)",
            ])
        #expect(try await bench.ask("close_session", #"{"session_id":"y"}"#).summary == "error(session_not_found) #1")
    }

    @Test(
        "What cannot be sent is an error",
        arguments: [("y", "aGk=", "session_not_found"), ("x", "aGk", "invalid_base64")])
    func badMessages(_ session: String, _ data: String, _ code: String) async throws {
        let bench = try Bench()
        try await bench.open()
        try await bench.connect(FakeSession("x"))
        let parameters = #"{"session_id":"\#(session)","data_base64":"\#(data)"}"#
        #expect(try await bench.ask("send_message", parameters).summary == "error(\(code)) #1")
        let large = String(repeating: "AAAA", count: 50)
        #expect(
            try await bench.ask("send_message", #"{"session_id":"x","data_base64":"\#(large)"}"#).summary
                == "error(send_message_failed) #1")
    }

    // MARK: Verification

    private static func introduction(isKnown: Bool) throws -> DaemonIntroduction {
        DaemonIntroduction(name: "Bob", key: try Identity.generate(.ed25519).publicKey, isKnown: isKnown)
    }

    @Test(
        "Who is asked about",
        arguments: [
            (0, true, true), (0, false, true), (1, true, false), (1, false, true),
            (2, true, false), (2, false, false),
        ])
    func modes(_ mode: Int, _ isKnown: Bool, _ isAsked: Bool) async throws {
        let bench = try Bench()
        try await bench.open()
        #expect(try await bench.ask("set_verification_mode", #"{"mode":\#(mode)}"#).text("mode") == "\(mode)")
        await bench.send("dial", #"{"addr":"h:1"}"#)
        let (question, _) = try #require(await bench.storage.dials.next())
        _ = try await bench.probe.next()
        let introduction = try Self.introduction(isKnown: isKnown)
        async let verdict = question.terms.verify(introduction)
        if isAsked {
            #expect(try await bench.probe.next().summary == "status_changed(verifying)")
            let asked = try await bench.probe.next()
            #expect(asked.name == "verify_peer")
            #expect(asked.flag("known") == isKnown)
            #expect(asked.text("mode") == (mode == 0 ? "strict" : "quick"))
            #expect(asked.text("hex") == introduction.key.fingerprint.hex)
            let number = try #require(asked.integer("request_id"))
            await bench.send("verify_response", #"{"request_id":\#(number),"accepted":true}"#, id: "v")
            #expect(try await bench.probe.next(2) == ["response(ok) #v", "status_changed(connecting)"])
            #expect(
                try await bench.ask("verify_response", #"{"request_id":\#(number),"accepted":true}"#).summary
                    == "error(verification_not_found) #1")
            #expect(await verdict == .accept)
        } else {
            #expect(await verdict == (isKnown ? .acceptKnown : .acceptAnybody))
        }
    }

    @Test("Who is refused, or not looked at in two minutes, is not let in")
    func refusals() async throws {
        let bench = try Bench()
        try await bench.open()
        await bench.send("dial", #"{"addr":"h:1"}"#)
        let (question, _) = try #require(await bench.storage.dials.next())
        _ = try await bench.probe.next()
        let introduction = try Self.introduction(isKnown: false)

        async let refused = question.terms.verify(introduction)
        let first = try #require(try await bench.probe.next(named: "verify_peer").integer("request_id"))
        await bench.send("verify_response", #"{"request_id":\#(first),"accepted":false}"#)
        _ = try await bench.probe.next(2)
        #expect(await refused == .refuse)

        async let forgotten = question.terms.verify(introduction)
        _ = try await bench.probe.next(named: "verify_peer")
        try await bench.clock.waitForSleepers()
        bench.clock.advance(by: DaemonLimits.verification)
        #expect(try await bench.probe.next().summary == "status_changed(error)")
        #expect(await forgotten == .refuse)

        let gone = Task { await question.terms.verify(introduction) }
        _ = try await bench.probe.next(named: "verify_peer")
        gone.cancel()
        #expect(await gone.value == .refuse)
    }

    @Test("Not more peers wait to be looked at than may", arguments: [DaemonLimits.pendingVerifications])
    func crowd(_ limit: Int) async throws {
        let bench = try Bench()
        try await bench.open()
        await bench.send("dial", #"{"addr":"h:1"}"#)
        let (question, dialing) = try #require(await bench.storage.dials.next())
        let introduction = try Self.introduction(isKnown: false)
        let waiting = (0..<limit).map { _ in Task { await question.terms.verify(introduction) } }
        for _ in 0..<limit { _ = try await bench.probe.next(named: "verify_peer") }
        #expect(await question.terms.verify(introduction) == .refuse)
        dialing.resume(returning: .failure(DaemonError(.dialFailed, "refused")))
        await bench.daemon.shutDown()
        for task in waiting { #expect(await task.value == .refuse) }
    }

    @Test("A mode that is none is refused", arguments: ["-1", "3", "9223372036854775807"])
    func badModes(_ mode: String) async throws {
        let bench = try Bench()
        #expect(
            try await bench.ask("set_verification_mode", #"{"mode":\#(mode)}"#).summary
                == "error(invalid_verification_mode) #1")
        #expect(try await bench.ask("get_verification_mode").text("mode") == "1")
    }

    @Test("Incognito uses a pseudonym, and keeps no name")
    func incognito() async throws {
        let bench = try Bench()
        try await bench.open()
        #expect(try await bench.ask("set_incognito", #"{"enabled":true}"#).flag("enabled") == true)
        await bench.send("dial", #"{"addr":"h:1","name":"Ada"}"#)
        let (question, _) = try #require(await bench.storage.dials.next())
        #expect(question.terms.isIncognito)
        #expect(question.terms.name == bench.storage.identity.fingerprint.pseudonym)
        #expect(bench.storage.state.withLock { $0.settings["daemon.local_name"] } != "Ada")
    }

    // MARK: The end

    @Test("A shutdown ends everything, once")
    func shutdown() async throws {
        let bench = try Bench()
        try await bench.open()
        let server = try await bench.serve()
        server.sessions.add(FakeSession("y"))
        _ = try await bench.probe.next()
        await bench.send("shutdown", id: "9")
        let last = try await bench.probe.next(named: "response")
        #expect(last.summary == "response(shutdown)")
        #expect(bench.storage.state.withLock { $0.isClosed })
        #expect(await server.sessions.next() == nil)
        let before = bench.probe.everything
        await bench.send("get_status")
        await bench.daemon.shutDown()
        #expect(bench.probe.everything == before)
    }
}
