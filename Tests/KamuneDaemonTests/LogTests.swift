import Foundation
import KamuneDaemon
import KamuneTestKit
import Testing

@Suite("Logs and settings")
struct LogTests {
    private static func place() throws -> String {
        let path = NSTemporaryDirectory() + "/kamune-daemon-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test("Log entries are told, kept, bounded, cleared")
    func entries() async throws {
        let bench = try Bench()
        #expect(try await bench.ask("get_logs").list("entries")?.isEmpty == true)
        let count = DaemonLimits.logEntries + 10
        for _ in 0..<count { _ = try await bench.ask("set_fingerprint_format", #"{"format":"hex"}"#) }
        let entries = try await bench.ask("get_logs")
        #expect(entries.list("entries")?.count == DaemonLimits.logEntries)
        #expect(bench.probe.everything.components(separatedBy: "log_entry").count - 1 == count)
        #expect(try await bench.ask("clear_logs").summary == "response(cleared) #1")
        #expect(try await bench.ask("get_logs").list("entries")?.isEmpty == true)
    }

    @Test("The level is set")
    func level() async throws {
        let bench = try Bench()
        #expect(try await bench.ask("get_log_level").text("level") == "INFO")
        for level in ["DEBUG", "warn", "Error"] {
            #expect(try await bench.ask("set_log_level", #"{"level":"\#(level)"}"#).text("level") == level)
        }
        for level in ["", "LOUD", "DEBUG "] {
            #expect(
                try await bench.ask("set_log_level", #"{"level":"\#(level)"}"#).summary == "error(invalid_params) #1")
        }
        #expect(try await bench.ask("get_log_level").text("level") == "Error")
    }

    @Test("Logs are written to a file, and never over the store or into what is no file")
    func export() async throws {
        let place = try Self.place()
        defer { try? FileManager.default.removeItem(atPath: place) }
        let bench = try Bench()
        let store = place + "/kamune.db"
        try Data("store".utf8).write(to: URL(filePath: store))
        try FileManager.default.linkItem(atPath: store, toPath: place + "/other name")
        await bench.send("open_storage", #"{"storage_path":"\#(store)","db_no_passphrase":true}"#)
        _ = try await bench.probe.next(named: "response")
        let file = place + "/logs.txt"
        try Data(String(repeating: "x", count: 10_000).utf8).write(to: URL(filePath: file))
        let answer = try await bench.ask("export_logs", #"{"file_path":"\#(file)"}"#)
        #expect(answer.text("file_path") == file)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.hasSuffix("[INFO] [cmd/daemon] Loaded identity from existing storage\n"))
        #expect(!text.contains("x\n"))
        for wrong in [store, place + "/other name", place, place + "/no/such/place", "/dev/null"] {
            let answer = try await bench.ask("export_logs", #"{"file_path":"\#(wrong)"}"#)
            #expect(answer.summary == "error(export_file_failed) #1", "\(wrong)")
        }
        #expect(try String(contentsOfFile: store, encoding: .utf8) == "store")
        #expect(
            try await bench.ask("export_logs", #"{"file_path":"a\u0000b"}"#).summary == "error(export_file_failed) #1")
    }

    @Test("A fingerprint format is a short text")
    func format() async throws {
        let bench = try Bench()
        let long = String(repeating: "x", count: DaemonLimits.settingSize + 1)
        #expect(
            try await bench.ask("set_fingerprint_format", #"{"format":"\#(long)"}"#).summary
                == "error(invalid_params) #1")
        #expect(try await bench.ask("get_fingerprint_format").text("format") == "hex")
    }

    @Test("Versions are told")
    func versions() async throws {
        let bench = try Bench()
        #expect(try await bench.ask("get_version").text("version") == "9.9.9")
        #expect(try await bench.ask("get_library_version").text("version") == "0.7.0")
        await bench.daemon.start(processID: 77)
        let ready = try await bench.probe.next()
        #expect(ready.name == "ready")
        #expect(ready.text("pid") == "77")
        #expect(ready.text("protocol_version") == "1")
    }
}
