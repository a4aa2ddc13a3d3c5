import Foundation
import Testing

/// Whatever Swift the documents show stands, line by line, in a file that the compiler has read.
@Suite("Snippets in documents")
struct SnippetTests {
    private struct Snippet {
        let place: String
        let imports: Set<String>
        let lines: [String]

        /// - Parameter text: Lines of code.
        init(place: String, _ text: [String]) {
            self.place = place
            // How far a line is indented, and how far behind it its comment stands, is for the reader's sake.
            let lines = text.map { $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ") }
                .filter { !$0.isEmpty }
            imports = Set(lines.filter { $0.hasPrefix("import ") })
            self.lines = lines.filter { !$0.hasPrefix("import ") }
        }

        /// Whether a file has these lines, one after the other.
        func stands(in file: Snippet) -> Bool {
            guard imports.isEmpty || imports == file.imports, let first = lines.first else { return false }
            return file.lines.indices.contains { start in
                file.lines[start] == first && file.lines[start...].starts(with: lines)
            }
        }
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func files(below folder: String, _ suffixes: [String]) -> [URL] {
        let folder = root.appending(path: folder)
        let all = FileManager.default.enumerator(
            at: folder, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles])
        return (all?.allObjects as? [URL] ?? []).filter { file in suffixes.contains(file.pathExtension) }
    }

    /// The Swift blocks of a document, or of a source file's comments.
    private static func snippets(in file: URL) throws -> [Snippet] {
        var snippets: [Snippet] = []
        var block: [String]?
        for line in try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n") {
            var text = line.trimmingCharacters(in: .whitespaces)
            if file.pathExtension == "swift" {
                guard text.hasPrefix("///") else { continue }
                text = text.dropFirst(3).trimmingCharacters(in: .whitespaces)
            }
            if text == "```swift" {
                block = []
            } else if text == "```" {
                if let lines = block.take() {
                    snippets.append(Snippet(place: "\(file.lastPathComponent): \(lines.first ?? "")", lines))
                }
            } else {
                block?.append(text)
            }
        }
        return snippets
    }

    @Test("every one was compiled")
    func compiled() throws {
        let documents =
            [Self.root.appending(path: "README.md"), Self.root.appending(path: "CONTRIBUTING.md")]
            + Self.files(below: "docs", ["md"]) + Self.files(below: "Sources", ["md", "swift"])
        let compiled = try
            (Self.files(below: "Tests/DocumentationTests/Snippets", ["swift"])
            + Self.files(below: "Examples", ["swift"]))
            .map { file in
                Snippet(
                    place: file.lastPathComponent,
                    try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n"))
            }
        let snippets = try documents.flatMap(Self.snippets(in:))
        #expect(snippets.count >= 15)
        for snippet in snippets {
            #expect(compiled.contains(where: snippet.stands(in:)), "\(snippet.place)")
        }
    }
}
