/// Writes a file with mode 0600 piece by piece, beside its place; it is moved there when it is whole, and gone when it is
/// not finished.
final class PrivateFileWriter {
    private let path: String
    private let aside: String
    private let existing: PrivateFile.Existing
    private let what: String
    private var descriptor: Int32

    /// Begins.
    ///
    /// - Parameter what: What is replaced by --force, for the sentence that says it exists.
    init(_ path: String, existing: PrivateFile.Existing, what: String) throws(FileFailure) {
        var status = stat()
        if existing == .refuse, lstat(path, &status) == 0 { throw .exists(path: path, what: what) }
        aside = path + ".new-" + String(UInt64.random(in: .min ... .max), radix: 36)
        descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(path: path, doing: "written", code: errno) }
        self.path = path
        self.existing = existing
        self.what = what
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        unlink(aside)
    }

    /// Writes what comes next.
    func write(_ contents: UnsafeRawBufferPointer) throws(FileFailure) {
        do {
            var rest = contents
            while !rest.isEmpty {
                let chunk = rest
                let written = try retrying { systemWrite(descriptor, chunk) }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        } catch {
            throw failure(error)
        }
    }

    /// Moves the file to its place, durably. Nothing can be written afterwards.
    func finish() throws(FileFailure) {
        do {
            _ = try retrying { fchmod(descriptor, 0o600) }
            _ = try retrying { fsync(descriptor) }
            let open = descriptor
            descriptor = -1
            // Some file systems report a full disk only here.
            _ = try retrying { close(open) }
            switch existing {
            case .replace: _ = try retrying { rename(aside, path) }
            // Unlike renaming, linking never replaces what came to be there in the meantime.
            case .refuse: try Self.linkOrRename(aside, path)
            }
        } catch {
            throw failure(error)
        }
        Self.synchronizeDirectory(of: path)
    }

    private func failure(_ error: SystemError) -> FileFailure {
        error.code == EEXIST && existing == .refuse
            ? .exists(path: path, what: what) : .system(path: path, doing: "written", code: error.code)
    }

    private static func linkOrRename(_ aside: String, _ path: String) throws(SystemError) {
        do {
            _ = try retrying { link(aside, path) }
        } catch {
            // File systems without hard links: look again, then rename.
            guard [EPERM, ENOTSUP, ENOSYS, EMLINK].contains(error.code) else { throw error }
            var status = stat()
            if lstat(path, &status) == 0 { throw SystemError(EEXIST) }
            _ = try retrying { rename(aside, path) }
        }
    }

    /// Makes the new name durable. Where a directory cannot be synchronized, the file is there all the same.
    private static func synchronizeDirectory(of path: String) {
        let descriptor = open(DataDirectory.parent(of: path), O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            fsync(descriptor)
            close(descriptor)
        }
    }
}
