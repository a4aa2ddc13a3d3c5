import KamuneDaemon
import Synchronization
import Testing

@Suite("Requests")
struct RequestTests {
    @Test("The commands and events are the Go daemon's")
    func names() throws {
        #expect(DaemonCommand.allCases.count == 52)
        guard let schemas = GoSchemas.shared else { return }
        #expect(Set(DaemonCommand.allCases.map(\.rawValue)) == schemas.commandNames)
        #expect(Set(DaemonEvent.allCases.map(\.rawValue)) == schemas.eventNames)
    }

    @Test(
        "A line that cannot be followed is an error, and the next is followed",
        arguments: [
            ("{", "invalid_json", ""), ("x", "invalid_json", ""), ("[1]", "invalid_json", ""),
            ("\"cmd\"", "invalid_json", ""), ("7", "invalid_json", ""), ("null", "unknown_message_type", ""),
            ("{}", "unknown_message_type", ""), (#"{"type":"evt","id":"7"}"#, "unknown_message_type", "7"),
            (#"{"type":"cmd","id":"7"}"#, "unknown_command", "7"),
            (#"{"type":"cmd","cmd":"fly","id":"7"}"#, "unknown_command", "7"),
            (#"{"type":"cmd","cmd":"get_status","id":7}"#, "invalid_json", ""),
            (#"{"type":7,"cmd":"get_status","id":"7"}"#, "invalid_json", ""),
            (#"{"type":"cmd","cmd":["get_status"],"id":"7"}"#, "invalid_json", ""),
            (#"{"type":"cmd","cmd":"dial","id":"7"}"#, "invalid_params", "7"),
            (#"{"type":"cmd","cmd":"dial","id":"7","params":[]}"#, "invalid_params", "7"),
            (#"{"type":"cmd","cmd":"dial","id":"7","params":{"addr":1}}"#, "invalid_params", "7"),
        ])
    func invalid(_ line: String, _ code: String, _ id: String) async throws {
        let bench = try Bench()
        await bench.daemon.receive(Array(line.utf8))
        let event = try await bench.probe.next()
        #expect(event.name == "error")
        #expect(event.text("code") == code)
        #expect(event.text("error")?.isEmpty == false)
        #expect(event.id == id)
        #expect(try await bench.ask("get_status").text("status") == "disconnected")
    }

    @Test("What the Go daemon takes is taken")
    func lenient() async throws {
        let bench = try Bench()
        for line in [
            #"{"TYPE":"cmd","Cmd":"get_version","ID":"7","PARAMS":{}}"#,
            #"{"type":"x","type":"cmd","cmd":"get_version","id":"7","more":{"a":[1]},"params":{"x":1}}"#,
            #"{"type":"cmd","cmd":"get_version","id":"7"}"#, #"{"type":"cmd","cmd":"get_version","id":"7","params":7}"#,
        ] {
            await bench.daemon.receive(Array(line.utf8))
            let event = try await bench.probe.next()
            #expect(event.text("version") == "9.9.9")
            #expect(event.id == "7")
        }
        await bench.daemon.receive(Array(#"{"type":"cmd","cmd":"get_version","id":null}"#.utf8))
        #expect(try await bench.probe.next().id == "")
    }

    @Test("An empty line is nothing, and one that is too long an error")
    func odd() async throws {
        let bench = try Bench()
        await bench.daemon.receive([])
        await bench.daemon.receiveTooLongLine()
        #expect(try await bench.probe.next().summary == "error(line_too_long)")
    }

    @Test("A long name is not repeated in full")
    func quoting() async throws {
        let bench = try Bench()
        let event = try await bench.ask(String(repeating: "é", count: 100_000))
        #expect(event.summary == "error(unknown_command) #1")
        #expect(event.description.utf8.count < 500)
    }

    /// Parameters of every wrong type for every command that has any. Each is refused, and leaves the daemon as it was.
    @Test("Parameters of the wrong type are refused", arguments: DaemonCommand.allCases)
    func wrongTypes(_ command: DaemonCommand) async throws {
        let names: [DaemonCommand: [String]] = [
            .openStorage: ["storage_path", "db_no_passphrase"], .submitPassphrase: ["passphrase"],
            .startServer: ["addr", "transport", "relay_addr", "password", "name", "broker_addr", "peer_pub_b64"],
            .dial: ["addr", "transport", "token", "password", "name", "p2p_token", "direct_peer_addr"],
            .sendMessage: ["session_id", "data_base64"], .closeSession: ["session_id"],
            .renameSession: ["session_id", "name"], .getSessionInfo: ["session_id"], .removeRelayToken: ["token"],
            .generateP2PToken: ["broker_addr", "peer_pub_b64"], .removeP2PToken: ["token"],
            .verifyResponse: ["request_id", "accepted"], .setVerificationMode: ["mode"], .setIncognito: ["enabled"],
            .getHistoryMessages: ["session_id"], .loadHistory: ["session_id"],
            .renameHistorySession: ["session_id", "name"], .deleteHistorySession: ["session_id"],
            .addPeer: ["public_key", "name"], .renamePeer: ["public_key", "name"], .getPeer: ["public_key"],
            .deletePeer: ["public_key"], .setFingerprintFormat: ["format"], .setMyName: ["name"],
            .setLogLevel: ["level"], .exportLogs: ["file_path"],
        ]
        let bench = try Bench()
        for name in names[command] ?? [] {
            for value in ["[]", "{}", "1.5", "[[[[]]]]"] {
                let event = try await bench.ask(command.rawValue, #"{"\#(name)":\#(value)}"#)
                #expect(event.summary == "error(invalid_params) #1", "\(name): \(value)")
            }
        }
        for parameters in names[command] == nil ? [] : ["[]", "7", "\"x\"", "true"] {
            #expect(try await bench.ask(command.rawValue, parameters).summary == "error(invalid_params) #1")
        }
        #expect(bench.backend.opened.withLock { $0.isEmpty })
    }

    @Test("What needs a store says so", arguments: ["start_server", "dial"])
    func withoutStore(_ command: String) async throws {
        let bench = try Bench()
        #expect(try await bench.ask(command, #"{"addr":"h:1"}"#).summary == "error(storage_not_opened) #1")
    }

    @Test(
        "What needs the relay or hole punching is checked",
        arguments: [
            ("start_server", #"{"addr":"","transport":"relay","relay_addr":"wss://r"}"#, "storage_not_opened"),
            ("start_server", #"{"transport":"relay","relay_addr":"quic://r:1"}"#, "invalid_params"),
            ("start_server", #"{"transport":"relay","relay_addr":"tcp://r"}"#, "invalid_params"),
            ("dial", #"{"transport":"relay","relay_addr":"wss://r"}"#, "invalid_params"),
            ("dial", #"{"transport":"relay","relay_addr":"wss://r","token":"xy"}"#, "invalid_params"),
            (
                "dial", #"{"transport":"relay","relay_addr":"wss://r","token":"00","password":"p"}"#,
                "storage_not_opened"
            ),
            ("dial", #"{"transport":"relay"}"#, "invalid_params"),
            ("dial", #"{"transport":"p2p","broker_addr":"b","p2p_token":"00"}"#, "not_available"),
            ("start_server", #"{"addr":"h:1","transport":"p2p"}"#, "invalid_params"),
            ("dial", #"{"transport":"direct-p2p","direct_peer_addr":"h:1"}"#, "not_available"),
            ("dial", #"{"transport":"direct-p2p"}"#, "invalid_params"),
            ("dial", #"{"addr":"h:1","transport":"pigeon"}"#, "unknown_transport"),
            ("dial", #"{"addr":"udp://h:1"}"#, "invalid_params"), ("dial", "{}", "invalid_params"),
            ("generate_relay_token", "{}", "relay_not_configured"),
            ("generate_relay_token", #"{"peer_pub_b64":1}"#, "invalid_params"),
            ("generate_p2p_token", #"{"broker_addr":"b"}"#, "not_available"),
            ("generate_p2p_token", "{}", "invalid_params"),
            ("generate_p2p_token", #"{"broker_addr":"b","peer_pub_b64":"x"}"#, "invalid_peer_key"),
            ("remove_relay_token", #"{"token":"00"}"#, "token_not_found"),
            ("remove_p2p_token", #"{"token":"00"}"#, "p2p_token_remove_failed"),
        ])
    func relay(_ command: String, _ parameters: String, _ code: String) async throws {
        let bench = try Bench()
        #expect(try await bench.ask(command, parameters).summary == "error(\(code)) #1")
    }

    @Test("There are no tokens", arguments: ["list_relay_tokens", "list_p2p_tokens"])
    func tokens(_ command: String) async throws {
        #expect(try await Bench().ask(command).list("tokens")?.isEmpty == true)
    }
}
