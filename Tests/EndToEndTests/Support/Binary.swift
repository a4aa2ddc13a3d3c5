import Foundation
import Testing

/// Where the built programs are.
enum Binary {
    /// The command: the path in KAMUNE_BINARY, else `kamune` beside the test bundle.
    static func path() throws -> String { try path("kamune", variable: "KAMUNE_BINARY") }

    /// What emulates networks: the path in KAMUNE_NETWORK_LAB, else `KamuneNetworkLab` beside the test bundle.
    static func networkLab() throws -> String { try path("KamuneNetworkLab", variable: "KAMUNE_NETWORK_LAB") }

    private static func path(_ name: String, variable: String) throws -> String {
        if let path = ProcessInfo.processInfo.environment[variable] { return path }
        // The test bundle is the program itself on Linux, and an argument of Xcode's on macOS.
        let places = CommandLine.arguments.filter { $0.contains(".xctest") } + Bundle.allBundles.map(\.bundlePath)
        for start in places + [CommandLine.arguments.first ?? ""] where !start.isEmpty {
            var directory = URL(fileURLWithPath: start).standardizedFileURL
            while directory.path != "/" {
                let candidate = directory.appendingPathComponent(name).path
                var isDirectory: ObjCBool = false
                if FileManager.default.fileExists(atPath: candidate, isDirectory: &isDirectory), !isDirectory.boolValue,
                    FileManager.default.isExecutableFile(atPath: candidate)
                {
                    return candidate
                }
                directory.deleteLastPathComponent()
            }
        }
        throw Missing(name: name, variable: variable)
    }

    struct Missing: Error, CustomStringConvertible {
        let name: String
        let variable: String
        var description: String { "“\(name)” is not built beside the tests; set \(variable) to where it is." }
    }
}
