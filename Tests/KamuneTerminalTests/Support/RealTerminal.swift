import Foundation
import Testing

/// Somebody else's terminal, which tells how many columns it takes for a text.
enum RealTerminal: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case tmux, pyte

    var testDescription: String { rawValue }

    /// Whether it is on this machine. It is no fault if not: what it has said once is written down in the other tests.
    static let present: [RealTerminal] = allCases.filter { terminal in
        switch terminal {
        case .tmux: succeeds(["sh", "-c", "command -v tmux && python3 -c 'import tty'"])
        case .pyte: succeeds(["python3", "-c", "import pyte"])
        }
    }

    /// The columns of each text.
    func columns(of texts: [String]) async throws -> [Int] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kamune-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let lines = texts.map { $0.unicodeScalars.map { String($0.value, radix: 16) }.joined(separator: " ") + "\n" }
        let (input, output) = (folder.path + "/texts", folder.path + "/results")
        try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: input))
        let script = try #require(
            Bundle.module.url(forResource: "measure", withExtension: "py", subdirectory: "Resources")
        ).path
        switch self {
        case .pyte: #expect(Self.succeeds(["python3", script, "pyte", input, output]))
        case .tmux:
            let socket = folder.path + "/tmux"
            // What is started in tmux ends it when it has ended; until then this waits for the signal that says so.
            try #require(
                Self.succeeds([
                    "env", "LC_ALL=C.UTF-8", "sh", "-c",
                    """
                    tmux -S "$1" -f /dev/null new-session -d -x 100 -y 5 \
                      "python3 '$2' screen '$3' '$4'; tmux -S '$1' wait-for -S over" && tmux -S "$1" wait-for over
                    """, "sh", socket, script, input, output,
                ]))
        }
        let results = try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").compactMap { Int($0) }
        try #require(results.count == texts.count)
        return results
    }

    private static func succeeds(_ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
