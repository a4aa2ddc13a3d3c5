import Foundation
import Testing

/// Where the built command is.
enum Binary {
    /// The path in KAMUNE_BINARY, else `kamune` beside the test bundle.
    static func path() throws -> String {
        if let path = ProcessInfo.processInfo.environment["KAMUNE_BINARY"] { return path }
        // The test bundle is the program itself on Linux, and an argument of Xcode's on macOS.
        let places = CommandLine.arguments.filter { $0.contains(".xctest") } + Bundle.allBundles.map(\.bundlePath)
        for start in places + [CommandLine.arguments.first ?? ""] where !start.isEmpty {
            var directory = URL(fileURLWithPath: start).standardizedFileURL
            while directory.path != "/" {
                let candidate = directory.appendingPathComponent("kamune").path
                var isDirectory: ObjCBool = false
                if FileManager.default.fileExists(atPath: candidate, isDirectory: &isDirectory), !isDirectory.boolValue,
                    FileManager.default.isExecutableFile(atPath: candidate)
                {
                    return candidate
                }
                directory.deleteLastPathComponent()
            }
        }
        throw Missing()
    }

    struct Missing: Error, CustomStringConvertible {
        let description = "The command “kamune” is not built beside the tests; set KAMUNE_BINARY to where it is."
    }
}
