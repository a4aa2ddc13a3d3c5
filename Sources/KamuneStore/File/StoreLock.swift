import Foundation
import KamuneSystem
import Synchronization

/// Keeps a store to one handle at a time, by `flock` on a file beside it.
///
/// SQLite itself would let two processes share the file. But two that are one person would both answer for the same peers,
/// spend the same tokens, and hand out the same numbers, so the second is refused. The system lets go of the lock when the
/// process dies, however it dies. It is on a file of its own because SQLite's locks on the database are lost when anybody
/// in the process closes a descriptor of it.
///
/// The file holds the number of the process and how many wrong passphrases were given in a row. Both stand in the open: a
/// thief of the file has better ways to guess than through this program, and a count slows down only those who use it.
final class StoreLock: Sendable {
    private let descriptor: Mutex<Int32?>

    /// For how long a lock that is held is tried again, in steps of ten milliseconds. A program that is just being started by
    /// somebody's process has a copy of every descriptor until it has begun, the one of a lock that was let go of included.
    private static let patience = 100

    /// Takes the lock, or fails when it is held.
    init(_ location: StoreLocation) throws(StoreError) {
        let descriptor = open(location.lockPath, O_CREAT | O_RDWR | O_CLOEXEC, StoreFile.mode)
        guard descriptor >= 0 else {
            throw errno == EACCES ? .readOnly(path: location.path) : StoreFile.failure(errno, path: location.path)
        }
        var isLocked = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        for _ in 0..<Self.patience where !isLocked && (errno == EWOULDBLOCK || errno == EINTR) {
            usleep(10_000)
            isLocked = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        }
        guard isLocked else {
            let number = errno
            let process = Self.read(descriptor).process
            Foundation.close(descriptor)
            throw number == EWOULDBLOCK ? .inUse(process: process) : StoreFile.failure(number, path: location.path)
        }
        self.descriptor = Mutex(descriptor)
        let failures = Self.read(descriptor).failures
        Self.write(descriptor, failures: failures)
    }

    deinit {
        release()
    }

    /// Lets go of it. The file stays: removing it would let two others lock different files of the same name.
    func release() {
        descriptor.withLock { descriptor in
            if let open = descriptor { Foundation.close(open) }
            descriptor = nil
        }
    }

    /// How many wrong passphrases there were in a row.
    var failures: Int {
        get {
            descriptor.withLock { $0.map { Self.read($0).failures } ?? 0 }
        }
        set {
            descriptor.withLock { if let open = $0 { Self.write(open, failures: newValue) } }
        }
    }

    /// The count of a store that may be open elsewhere.
    static func failures(of location: StoreLocation) -> Int {
        let descriptor = open(location.lockPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { Foundation.close(descriptor) }
        return read(descriptor).failures
    }

    private static let maximumFailures = 1_000_000

    private static func read(_ descriptor: Int32) -> (process: Int32?, failures: Int) {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return (nil, 0) }
        let fields = String(decoding: buffer[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace)
        let failures = fields.count > 1 ? Int(fields[1]) ?? 0 : 0
        return (fields.first.flatMap { Int32($0) }, min(max(failures, 0), maximumFailures))
    }

    private static func write(_ descriptor: Int32, failures: Int) {
        let text = Array("\(getpid()) \(min(failures, maximumFailures))\n".utf8)
        // That it fails on a full disk does no harm: the count is a courtesy.
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        ftruncate(descriptor, off_t(text.count))
    }
}
