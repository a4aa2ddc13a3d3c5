import Foundation

/// Writes the schemas anew: see scripts/generate-schema.
@main
enum SchemaProgram {
    static func main() throws {
        guard CommandLine.arguments.count == 2 else {
            print("usage: KamuneSchema DIRECTORY")
            return
        }
        let directory = URL(filePath: CommandLine.arguments[1])
        let manager = FileManager.default
        for folder in ["requests", "answers", "events"] {
            // What is not asked for any more goes.
            try? manager.removeItem(at: directory.appending(path: folder))
            try manager.createDirectory(at: directory.appending(path: folder), withIntermediateDirectories: true)
        }
        let files = try NodeSchemas().files
        for (path, bytes) in files { try Data(bytes).write(to: directory.appending(path: path)) }
        print("wrote \(files.count) schemas")
    }
}
