import Foundation
import KamuneSystem

/// A file that log entries are written to.
enum LogFile {
    /// The mode of a new file: the entries name peers.
    private static let mode: mode_t = 0o600

    /// What stands in the name of a file for a moment.
    static func name(of date: Date) -> String {
        let text = Instant(date).description.prefix(while: { $0 != "." && $0 != "Z" })
        return text.filter { $0 != ":" }.replacing("T", with: "_")
    }

    /// Writes entries in the place of what was in the file.
    ///
    /// - Parameter storagePath: The store, which is never written over, by whichever name, nor are the files beside it.
    static func write(_ entries: [LogBuffer.Entry], to path: String, sparing storagePath: String) throws(DaemonError) {
        guard !path.utf8.contains(0) else { throw DaemonError(.exportFileFailed, "create file: its name holds a NUL") }
        // Nothing is emptied before it is known what it is, and opening a pipe does not wait for its other end.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, mode)
        guard descriptor >= 0 else { throw DaemonError(.exportFileFailed, "create file: \(SystemError())") }
        defer { systemClose(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw DaemonError(.exportFileFailed, "create file: there is something that is no file")
        }
        for suffix in ["", "-wal", "-shm", ".lock"] where !storagePath.isEmpty {
            var spared = stat()
            guard stat(storagePath + suffix, &spared) == 0 else { continue }
            guard spared.st_dev != status.st_dev || spared.st_ino != status.st_ino else {
                throw DaemonError(.exportFileFailed, "create file: the storage is there")
            }
        }
        guard ftruncate(descriptor, 0) == 0 else {
            throw DaemonError(.exportFileFailed, "create file: \(SystemError())")
        }
        var rest = Array(entries.map(\.line).joined().utf8)[...]
        while !rest.isEmpty {
            do throws(SystemError) {
                let count = try retrying { rest.withUnsafeBytes { systemWrite(descriptor, $0) } }
                rest = rest.dropFirst(count)
            } catch {
                throw DaemonError(.exportWriteFailed, "write file: \(error)")
            }
        }
    }
}
