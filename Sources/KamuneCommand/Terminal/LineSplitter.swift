/// Cuts a stream of bytes into lines. A line that is too long is an error, so that no input can fill the memory.
struct LineSplitter: Sendable {
    /// A line is longer than allowed.
    struct LineTooLong: Error, Equatable {
        /// Which one, counted from 1.
        let number: Int
        /// How many bytes are allowed.
        let limit: Int
    }

    private let limit: Int
    private var partial: [UInt8] = []
    private var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    /// The lines that these bytes complete, without what ends them: LF, or CR LF.
    mutating func split(_ bytes: [UInt8]) throws(LineTooLong) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(try complete(rest[..<end]))
            rest = rest[(end + 1)...]
        }
        partial += rest
        // One more for a CR whose LF has yet to come.
        guard partial.count <= limit + 1 else { throw LineTooLong(number: count + 1, limit: limit) }
        return lines
    }

    /// What is left when the stream ends without a line feed; nil when nothing is.
    mutating func finish() throws(LineTooLong) -> [UInt8]? {
        partial.isEmpty ? nil : try complete([])
    }

    private mutating func complete(_ end: ArraySlice<UInt8>) throws(LineTooLong) -> [UInt8] {
        var line = partial + end
        partial = []
        count += 1
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard line.count <= limit else { throw LineTooLong(number: count, limit: limit) }
        return line
    }
}
