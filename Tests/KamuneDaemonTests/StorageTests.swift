import Foundation
import KamuneCrypto
import KamuneDaemon
import Synchronization
import Testing

@Suite("Storage, history, peers")
struct StorageTests {
    private static let unprotected = #"{"storage_path":"/s/kamune.db","db_no_passphrase":true}"#

    @Test("A store without passphrase is opened, and told of as the Go daemon does")
    func open() async throws {
        let bench = try Bench()
        await bench.send("open_storage", Self.unprotected)
        let fingerprint = try await bench.probe.next()
        let key = bench.storage.identity.fingerprint
        #expect(fingerprint.name == "fingerprint_changed")
        #expect(fingerprint.text("b64") == key.base64)
        #expect(fingerprint.text("emoji") == key.emoji.joined(separator: " • "))
        #expect(fingerprint.text("hex") == key.hex)
        #expect(fingerprint.text("sum") == key.sum)
        #expect(try await bench.probe.next().text("name") == key.pseudonym)
        #expect(try await bench.probe.next(2) == ["history_updated", "response(opened) #1"])
        #expect(bench.backend.opened.withLock { $0.map(\.passphrase) } == [nil])
        #expect(try await bench.ask("get_my_name").text("name") == key.pseudonym)
    }

    @Test("What was set is set again when the store is opened")
    func settings() async throws {
        let bench = try Bench()
        bench.storage.state.withLock {
            $0.settings = [
                "daemon.verification_mode": "2", "daemon.incognito": "true", "daemon.fingerprint_format": "emoji",
                "daemon.local_name": "Ada",
            ]
        }
        try await bench.open()
        #expect(try await bench.ask("get_verification_mode").text("mode") == "2")
        #expect(try await bench.ask("get_incognito").flag("enabled") == true)
        #expect(try await bench.ask("get_fingerprint_format").text("format") == "emoji")
        #expect(try await bench.ask("get_my_name").text("name") == "Ada")
    }

    @Test("The passphrase comes from the environment, from the keychain, or by a command")
    func passphrases() async throws {
        let path = #"{"storage_path":"/s/kamune.db"}"#
        let first = try Bench(passphrase: "from there")
        await first.send("open_storage", path)
        #expect(first.backend.opened.withLock { $0.map(\.passphrase) } == ["from there"])

        let second = try Bench()
        #expect(try await second.ask("open_storage", path).summary == "error(storage_open_failed) #1")
        await second.send("submit_passphrase", #"{"passphrase":"correct \u0068orse","remember":true}"#)
        #expect(try await second.probe.next(named: "response").summary == "response(opened) #1")
        #expect(second.backend.opened.withLock { $0.map(\.passphrase) } == ["correct horse"])
        #expect(try await second.ask("has_keychain_passphrase").flag("has_passphrase") == true)
        #expect(!second.probe.everything.contains("horse"))

        let third = try Bench(keychain: second.keychain)
        await third.send("open_storage", path)
        #expect(try await third.probe.next(named: "response").summary == "response(opened) #1")
        #expect(third.backend.opened.withLock { $0.map(\.passphrase) } == ["correct horse"])
        #expect(try await third.ask("clear_keychain_passphrase").summary == "response(cleared) #1")
        #expect(try await third.ask("clear_keychain_passphrase").summary == "error(keychain_clear_failed) #1")
        #expect(try await third.ask("has_keychain_passphrase").flag("has_passphrase") == false)
    }

    @Test("What cannot be opened is an error")
    func failures() async throws {
        let bench = try Bench()
        #expect(try await bench.ask("open_storage", "{}").summary == "error(storage_path_required) #1")
        #expect(
            try await bench.ask("open_storage", #"{"storage_path":"a\u0000b"}"#).summary == "error(invalid_params) #1")
        #expect(
            try await bench.ask("submit_passphrase", #"{"passphrase":"x"}"#).summary == "error(storage_not_opened) #1")
        bench.backend.refusal.withLock { $0 = DaemonError(.storageOpenFailed, "failed to open storage: no") }
        #expect(try await bench.ask("open_storage", Self.unprotected).summary == "error(storage_open_failed) #1")
        #expect(try await bench.ask("list_peers").summary == "error(storage_unavailable) #1")
        #expect(try await bench.ask("get_history_sessions").list("sessions")?.isEmpty == true)
        #expect(try await bench.ask("get_fingerprint").text("b64") == "")
        _ = try await bench.ask("submit_passphrase", #"{"passphrase":""}"#)
    }

    @Test("A store is not replaced while somebody is talked to")
    func busy() async throws {
        let bench = try Bench()
        try await bench.open()
        try await bench.connect(FakeSession("x"))
        #expect(try await bench.ask("open_storage", Self.unprotected).summary == "error(storage_busy) #1")
        #expect(try await bench.ask("submit_passphrase", #"{"passphrase":"x"}"#).summary == "error(storage_busy) #1")
        #expect(!bench.storage.state.withLock { $0.isClosed })
    }

    @Test("The history is read, renamed and deleted")
    func history() async throws {
        let bench = try Bench()
        let (first, last) = (Date(timeIntervalSince1970: 1_000), Date(timeIntervalSince1970: 2_000.5))
        bench.storage.state.withLock {
            $0.sessions = [
                DaemonHistorySession(id: "a", name: "", messageCount: 2, period: first...last),
                DaemonHistorySession(id: "cut", name: "n", messageCount: 0, period: nil),
            ]
            $0.messages["a"] = [
                DaemonMessage(bytes: Array("hi".utf8), writtenAt: first, isOurs: false),
                DaemonMessage(bytes: [0xff], writtenAt: last, isOurs: true),
            ]
        }
        try await bench.open()
        let sessions = try #require(try await bench.ask("get_history_sessions").list("sessions"))
        #expect(
            sessions.map { String(decoding: JSONWriter.line($0), as: UTF8.self) } == [
                #"{"id":"a","name":"","message_count":2,"first_message":"1970-01-01T00:16:40Z","#
                    + #""last_message":"1970-01-01T00:33:20.5Z","loaded":false}"#,
                #"{"id":"cut","name":"n","message_count":0,"first_message":"0001-01-01T00:00:00Z","#
                    + #""last_message":"0001-01-01T00:00:00Z","loaded":false}"#,
            ])
        let a = #"{"session_id":"a"}"#
        #expect(try await bench.ask("get_history_messages", a).summary == "error(history_not_loaded) #1")
        await bench.send("load_history", a)
        #expect(try await bench.probe.next(2) == ["history_loaded", "response(loaded) #1"])
        let messages = try await bench.ask("get_history_messages", a)
        #expect(
            messages.list("messages")?.map { String(decoding: JSONWriter.line($0), as: UTF8.self) } == [
                #"{"text":"hi","timestamp":"1970-01-01T00:16:40Z","is_local":false}"#,
                "{\"text\":\"\u{fffd}\",\"timestamp\":\"1970-01-01T00:33:20.5Z\",\"is_local\":true}",
            ])
        #expect(messages["truncated"] == nil)
        let info = try await bench.ask("get_session_info", a)
        #expect(info.text("type") == "history")
        #expect(info.flag("loaded") == true)
        #expect(info.integer("msg_count") == 2)

        await bench.send("load_history", #"{"session_id":"cut"}"#)
        _ = try await bench.probe.next(2)
        #expect(try await bench.ask("get_history_messages", #"{"session_id":"cut"}"#).flag("truncated") == true)

        await bench.send("rename_history_session", #"{"session_id":"a","name":"Ada"}"#)
        #expect(try await bench.probe.next(2) == ["history_updated", "response(ok) #1"])
        #expect(try await bench.ask("get_session_info", a).text("name") == "Ada")
        await bench.send("delete_history_session", a)
        #expect(try await bench.probe.next(2) == ["history_updated", "response(deleted) #1"])
        #expect(try await bench.ask("get_session_info", a).summary == "error(session_not_found) #1")
        #expect(try await bench.ask("get_history_messages", a).summary == "error(history_not_loaded) #1")
        await bench.send("refresh_history")
        #expect(try await bench.probe.next(2) == ["history_updated", "response(refreshed) #1"])
        await bench.send("load_history", a)
        #expect(try await bench.probe.next(2) == ["history_loaded", "response(loaded) #1"])
        #expect(try await bench.ask("get_history_messages", a).summary == "error(history_not_loaded) #1")
    }

    @Test("Peers are added, renamed, found and deleted")
    func peers() async throws {
        let bench = try Bench()
        try await bench.open()
        let key = try Identity.generate(.ed25519).publicKey
        let url = key.fingerprint.base64
        let padded = Data(key.spki).base64EncodedString()
        #expect(try await bench.ask("add_peer", #"{"public_key":"\#(url)","name":"Bob"}"#).text("name") == "Bob")
        #expect(
            try await bench.ask("add_peer", #"{"public_key":"\#(url)"}"#).summary == "error(peer_already_exists) #1")
        let listed = try await bench.ask("list_peers")
        #expect(listed.list("peers")?.count == 1)
        #expect(listed.description.contains(#""public_key":"\#(padded)""#))
        for text in [url, padded, " \(url)=\\n"] {
            let peer = try await bench.ask("get_peer", #"{"public_key":"\#(text)"}"#)
            #expect(peer.text("name") == "Bob")
            #expect(peer.text("public_key") == url)
        }
        #expect(try await bench.ask("rename_peer", #"{"public_key":"\#(url)","name":""}"#).text("name") == "")
        #expect(try await bench.ask("get_peer", #"{"public_key":"\#(url)"}"#).text("name") == key.fingerprint.pseudonym)
        #expect(try await bench.ask("delete_peer", #"{"public_key":"\#(padded)"}"#).summary == "response(deleted) #1")
        #expect(try await bench.ask("delete_peer", #"{"public_key":"\#(padded)"}"#).summary == "response(deleted) #1")
        #expect(try await bench.ask("get_peer", #"{"public_key":"\#(url)"}"#).summary == "error(peer_not_found) #1")
        #expect(
            try await bench.ask("rename_peer", #"{"public_key":"\#(url)","name":"x"}"#).summary
                == "error(peer_not_found) #1")
    }

    @Test("A key that is none is refused", arguments: ["", "A", "****", "AAAA", String(repeating: "A", count: 59)])
    func badKeys(_ key: String) async throws {
        let bench = try Bench()
        try await bench.open()
        for command in ["add_peer", "rename_peer", "get_peer", "delete_peer"] {
            #expect(
                try await bench.ask(command, #"{"public_key":"\#(key)","name":"x"}"#).summary
                    == "error(invalid_peer_key) #1")
        }
    }

    @Test("Names have limits")
    func names() async throws {
        let bench = try Bench()
        try await bench.open()
        let long = String(repeating: "x", count: 33)
        #expect(try await bench.ask("set_my_name", #"{"name":"\#(long)"}"#).summary == "error(name_too_long) #1")
        await bench.send("set_my_name", #"{"name":"\#(long.dropLast())"}"#)
        #expect(try await bench.probe.next(2) == ["local_name_changed", "response(ok) #1"])
        #expect(bench.storage.state.withLock { $0.settings["daemon.local_name"]?.count } == 32)
        let huge = String(repeating: "x", count: 256)
        #expect(
            try await bench.ask("rename_history_session", #"{"session_id":"a","name":"\#(huge)"}"#).summary
                == "error(name_too_long) #1")
    }
}
