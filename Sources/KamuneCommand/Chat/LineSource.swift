/// The lines of a pipe or file, read when they are wanted.
actor LineSource {
    private let reader: InputReader
    private var splitter: LineSplitter
    private var lines: ArraySlice<[UInt8]> = []
    private var isAtEnd = false
    /// Whether there has been any line.
    private(set) var hasHadLines = false

    init(_ reader: InputReader, maximumLineSize: Int) {
        self.reader = reader
        splitter = LineSplitter(limit: maximumLineSize)
    }

    /// The next lines, waiting for the first of them; nil at the end and after ``cancel()``.
    func next(atMost limit: Int) async throws(LineSplitter.LineTooLong) -> [[UInt8]]? {
        while lines.isEmpty {
            if isAtEnd { return nil }
            if let bytes = await reader.read() {
                lines = try splitter.split(bytes)[...]
            } else {
                isAtEnd = true
                lines = try splitter.finish().map { [$0] } ?? []
            }
        }
        hasHadLines = true
        let next = Array(lines.prefix(limit))
        lines = lines.dropFirst(limit)
        return next
    }

    /// Ends a call that waits, and all later ones.
    nonisolated func cancel() {
        reader.cancel()
    }
}
