import Testing

@testable import KamuneCommand

@Suite("Lines of a pipe")
struct LineSplitterTests {
    @Test(
        "bytes are cut into lines, whatever pieces they come in",
        arguments: [
            ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]),
            ("\n\n", ["", ""]),
            ("a\rb\n", ["a\rb"]), ("é\n日", ["é", "日"]),
        ])
    func lines(text: String, expected: [String]) throws {
        for size in 1...4 {
            var splitter = LineSplitter(limit: 100)
            var lines: [[UInt8]] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                lines += try splitter.split(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            if let last = try splitter.finish() { lines.append(last) }
            #expect(lines == expected.map { Array($0.utf8) })
        }
    }

    @Test("a line of the largest size is taken, and one byte more is not")
    func limit() throws {
        var splitter = LineSplitter(limit: 4)
        #expect(try splitter.split(Array("1234\r\n1234\n".utf8)).count == 2)
        #expect(throws: LineSplitter.LineTooLong(number: 3, limit: 4)) { try splitter.split(Array("12345\n".utf8)) }
        var unfinished = LineSplitter(limit: 4)
        #expect(throws: LineSplitter.LineTooLong(number: 1, limit: 4)) { try unfinished.split(Array("123456".utf8)) }
        var last = LineSplitter(limit: 4)
        #expect(try last.split(Array("12345".utf8)) == [])
        #expect(throws: LineSplitter.LineTooLong(number: 1, limit: 4)) { try last.finish() }
    }
}
