import Foundation
import KamuneSystem
import Synchronization

/// Keeps a store to one handle at a time, by `flock` on the database and on a file beside it.
///
/// SQLite itself would let two processes share the file. But two that are one person would both answer for the same peers,
/// spend the same tokens, and hand out the same numbers, so the second is refused. The system lets go of the lock when the
/// process dies, however it dies.
///
/// The lock on the database belongs to the file, by whichever name it was opened: links make no other store of it. It is let
/// go after the database is closed, since SQLite's own locks are lost when anybody in the process closes a descriptor of it.
/// The lock on the file beside it serves where there is no database yet. That file holds the number of the process and how many
/// wrong passphrases were given in a row. Both stand in the open: a thief of the file has better ways to guess than through
/// this program, and a count slows down only those who use it. Who only reads can do without it, on a disk that cannot be
/// written.
final class StoreLock: Sendable {
    private struct Descriptors {
        var file: Int32?
        var database: Int32?
    }

    private let descriptors: Mutex<Descriptors>
    private let location: StoreLocation

    /// How often, and how long after the last time, a lock that is held is tried again. A program that is just being started by
    /// somebody's process has a copy of every descriptor until it has begun, the one of a lock that was let go of included.
    private static let attempts = 100
    private static let interval = Duration.milliseconds(10)

    /// Takes the lock; when it is held, tries for a second before it fails.
    static func take(
        _ location: StoreLocation, isReadOnly: Bool = false, time: any TimeSource = .system
    ) async throws(StoreError) -> StoreLock {
        for _ in 1..<attempts {
            do throws(StoreError) {
                return try StoreLock(location, isReadOnly: isReadOnly)
            } catch {
                guard case .inUse = error else { throw error }
            }
            do {
                try await time.sleep(for: interval)
            } catch {
                throw .cancelled
            }
        }
        return try StoreLock(location, isReadOnly: isReadOnly)
    }

    /// Takes the lock, or fails when it is held.
    ///
    /// - Parameter isReadOnly: Whether it need not be possible to write beside the database.
    init(_ location: StoreLocation, isReadOnly: Bool = false) throws(StoreError) {
        let path = location.lockPath
        let file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, StoreFile.mode)
        guard file >= 0 || isReadOnly else {
            throw errno == EACCES ? .readOnly(path: location.path) : StoreFile.failure(errno, path: location.path)
        }
        self.location = location
        descriptors = Mutex(Descriptors(file: file >= 0 ? file : nil))
        if file >= 0 {
            let process = Self.read(file).process
            try Self.lock(file, of: process, path: location.path)
        }
        try lockDatabase()
        if file >= 0 { Self.write(file, failures: Self.read(file).failures) }
    }

    /// Takes the lock on the database, if it is there.
    func lockDatabase() throws(StoreError) {
        // Without waiting, should it have become a pipe.
        let database = open(location.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard database >= 0 else {
            if errno == ENOENT { return }
            throw StoreFile.failure(errno, path: location.path)
        }
        descriptors.withLock { descriptors in
            if let earlier = descriptors.database { Foundation.close(earlier) }
            descriptors.database = database
        }
        // Beside another name of it, another process is named, if any.
        try Self.lock(database, of: nil, path: location.path)
    }

    private static func lock(_ descriptor: Int32, of process: Int32?, path: String) throws(StoreError) {
        do {
            _ = try retrying { flock(descriptor, LOCK_EX | LOCK_NB) }
        } catch {
            throw error.code == EWOULDBLOCK ? .inUse(process: process) : StoreFile.failure(error.code, path: path)
        }
    }

    deinit {
        release()
    }

    /// Lets go of it. The file stays: removing it would let two others lock different files of the same name.
    func release() {
        descriptors.withLock { descriptors in
            for open in [descriptors.database, descriptors.file].compactMap(\.self) { Foundation.close(open) }
            descriptors = Descriptors()
        }
    }

    /// How many wrong passphrases there were in a row.
    var failures: Int {
        get {
            descriptors.withLock { $0.file.map { Self.read($0).failures } ?? 0 }
        }
        set {
            descriptors.withLock { if let open = $0.file { Self.write(open, failures: newValue) } }
        }
    }

    /// The count of a store that may be open elsewhere.
    static func failures(of location: StoreLocation) -> Int {
        let descriptor = open(location.resolved.lockPath, O_RDONLY | O_CLOEXEC)
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
