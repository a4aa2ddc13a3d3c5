import Kamune
import KamuneSystem

/// Small files that are nobody else's business: read with care, and written so that at any moment either the old contents
/// or the new ones are there, whole.
enum PrivateFile {
    /// What may be there when a file is written.
    enum Existing: Sendable, Equatable {
        /// Nothing: a file that is there stays as it is.
        case refuse
        /// A plain file, but for these: it is replaced in one step.
        case replace(sparing: [FilePath])
    }

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - limit: The largest size, in bytes.
    ///   - secret: Whether others must not be able to read or change it.
    ///   - what: What the file holds, for the sentence that says it is missing.
    static func read(
        _ path: FilePath, limit: Int, secret: Bool, what: String
    ) throws(FileFailure) -> SecretBytes {
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else {
            throw errno == ENOENT
                ? .missing(path: path, what: what) : .system(path: path, doing: "opened", code: errno)
        }
        defer { systemClose(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(path: path, doing: "read", code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notARegularFile(path: path) }
        let mode = status.st_mode & 0o7777
        if secret, mode & 0o077 != 0 { throw .openToOthers(path: path, mode: mode_t(mode)) }
        guard status.st_size <= limit else { throw .tooLarge(path: path, limit: limit) }
        return try readToEnd(descriptor, path: path, limit: limit)
    }

    /// Reads all of an open file, a pipe for instance.
    static func readToEnd(_ descriptor: Int32, path: FilePath, limit: Int) throws(FileFailure) -> SecretBytes {
        // One byte more than allowed tells that there is more.
        let buffer = ErasedBuffer(capacity: limit + 1)
        while buffer.count < buffer.memory.count {
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer.memory[buffer.count...])
            let count: Int
            do {
                count = try retrying { systemRead(descriptor, room) }
            } catch {
                throw .system(path: path, doing: "read", code: error.code)
            }
            if count == 0 { break }
            buffer.count += count
        }
        guard buffer.count <= limit else { throw .tooLarge(path: path, limit: limit) }
        return SecretBytes(copying: UnsafeRawBufferPointer(rebasing: buffer.memory[..<buffer.count]))
    }

    /// Writes a file with mode 0600, beside the place and then moved there, so that it is there whole or not at all.
    ///
    /// - Parameter what: What is replaced by --force, for the sentence that says it exists.
    static func write(
        _ contents: UnsafeRawBufferPointer, to path: FilePath, existing: Existing, what: String
    ) throws(FileFailure) {
        let writer = try PrivateFileWriter(path, existing: existing, what: what)
        try writer.write(contents)
        try writer.finish()
    }
}

/// Memory that a file is read into, overwritten when it goes.
private final class ErasedBuffer {
    let memory: UnsafeMutableRawBufferPointer
    var count = 0

    init(capacity: Int) {
        memory = .allocate(byteCount: capacity, alignment: 1)
    }

    deinit {
        systemErase(memory)
        memory.deallocate()
    }
}
