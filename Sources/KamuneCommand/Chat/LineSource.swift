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

    /// The next line, waiting for it; nil at the end and after ``cancel()``.
    func next() async throws(LineSplitter.LineTooLong) -> [UInt8]? {
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
        return lines.removeFirst()
    }

    /// Ends a call that waits, and all later ones.
    nonisolated func cancel() {
        reader.cancel()
    }
}
