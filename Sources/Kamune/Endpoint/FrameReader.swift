import KamuneTransport

/// The frames of a connection one by one, whatever batches they come in.
struct FrameReader: Sendable {
    private let connection: any Connection
    /// What has arrived and whose turn has not come. It counts as held.
    private var remaining: [[UInt8]] = []

    init(connection: any Connection) {
        self.connection = connection
    }

    mutating func next() async throws(TransportError) -> [UInt8]? {
        while remaining.isEmpty {
            guard let batch = try await connection.receive() else { return nil }
            putBack(batch)
        }
        let frame = remaining.removeFirst()
        connection.budget.remove(frame.count)
        return frame
    }

    mutating func putBack(_ frames: [[UInt8]]) {
        connection.budget.add(frames.totalSize)
        remaining += frames
    }

    /// Hands what is left to whoever goes on reading.
    consuming func takeRemaining() -> [[UInt8]] {
        connection.budget.remove(remaining.totalSize)
        return remaining
    }
}

extension [[UInt8]] {
    /// The bytes of all frames together.
    var totalSize: Int { reduce(0) { $0 + $1.count } }
}
