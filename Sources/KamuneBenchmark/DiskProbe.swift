import KamuneSystem

/// What it takes a file system to keep a little, without a database: the limit of every durable write.
struct DiskProbe: ~Copyable {
    /// How much is written before each wait, in bytes: what the log of a store grows by for one message.
    static let size = 16 * 1_024
    /// The file is used again and again, as the log is: a file that grows has more to be kept.
    private static let fileSize = 4 * 1_024 * 1_024

    /// The file cannot be made, or a write to it failed. The number is the system's.
    struct Failure: Error {
        var number: Int32
    }

    private let descriptor: Int32
    private let bytes = [UInt8](repeating: 0x4B, count: size)

    init(path: String) throws(Failure) {
        descriptor = open(path, O_CREAT | O_EXCL | O_RDWR, 0o600)
        guard descriptor >= 0 else { throw Failure(number: errno) }
        for offset in stride(from: 0, to: Self.fileSize, by: Self.size) { try write(at: offset) }
        guard fsync(descriptor) == 0 else { throw Failure(number: errno) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    private var position = 0

    /// The time in microseconds to write and to have the disk keep it.
    mutating func measure() throws(Failure) -> Double {
        let start = CPUClock.wall
        try write(at: position)
        position = (position + Self.size) % Self.fileSize
        do {
            try systemSynchronizeData(descriptor)
        } catch {
            throw Failure(number: error.code)
        }
        return Double(CPUClock.wall - start) / 1_000
    }

    private func write(at offset: Int) throws(Failure) {
        let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset)) }
        guard count == Self.size else { throw Failure(number: errno) }
    }
}
