import KamuneSystem

/// Writes a file with mode 0600 piece by piece, beside its place; it is moved there when it is whole, and gone when it is
/// not finished.
final class PrivateFileWriter {
    private let path: FilePath
    private let aside: FilePath
    private let existing: PrivateFile.Existing
    private let what: String
    private var descriptor: Int32

    /// Begins.
    ///
    /// - Parameter what: What is replaced by --force, for the sentence that says it exists.
    init(_ path: FilePath, existing: PrivateFile.Existing, what: String) throws(FileFailure) {
        var status = stat()
        if existing == .refuse, path.withCString({ lstat($0, &status) }) == 0 { throw .exists(path: path, what: what) }
        if case .replace(let spared) = existing { try Self.checkReplaceable(path, sparing: spared) }
        aside = path + ".new-" + String(UInt64.systemRandom(), radix: 36)
        descriptor = aside.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw .system(path: path, doing: "written", code: errno) }
        self.path = path
        self.existing = existing
        self.what = what
    }

    deinit {
        if descriptor >= 0 { systemClose(descriptor) }
        _ = aside.withCString { unlink($0) }
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
        } catch {
            throw failure(error)
        }
        // It may be another one by now.
        if case .replace(let spared) = existing { try Self.checkReplaceable(path, sparing: spared) }
        do {
            switch existing {
            case .replace: _ = try retrying { Self.move(aside, to: path) }
            // Unlike renaming, linking never replaces what came to be there in the meantime.
            case .refuse: try Self.linkOrRename(aside, path)
            }
        } catch {
            throw failure(error)
        }
        Self.synchronizeDirectory(of: path)
    }

    /// Refuses to replace what is no plain file, or one of those that are to be spared, by whichever name.
    private static func checkReplaceable(_ path: FilePath, sparing files: [FilePath]) throws(FileFailure) {
        var found = stat()
        guard path.withCString({ lstat($0, &found) }) == 0 else { return }
        guard found.st_mode & S_IFMT == S_IFREG else { throw .notReplaceable(path: path) }
        for file in files {
            var spared = stat()
            guard file.withCString({ stat($0, &spared) }) == 0 else { continue }
            guard spared.st_dev != found.st_dev || spared.st_ino != found.st_ino else {
                throw .notReplaceable(path: path)
            }
        }
    }

    private func failure(_ error: SystemError) -> FileFailure {
        error.code == EEXIST && existing == .refuse
            ? .exists(path: path, what: what) : .system(path: path, doing: "written", code: error.code)
    }

    private static func linkOrRename(_ aside: FilePath, _ path: FilePath) throws(SystemError) {
        do {
            _ = try retrying { aside.withCString { aside in path.withCString { link(aside, $0) } } }
        } catch {
            // File systems without hard links: look again, then rename.
            guard [EPERM, ENOTSUP, ENOSYS, EMLINK].contains(error.code) else { throw error }
            var status = stat()
            if path.withCString({ lstat($0, &status) }) == 0 { throw SystemError(EEXIST) }
            _ = try retrying { move(aside, to: path) }
        }
    }

    private static func move(_ aside: FilePath, to path: FilePath) -> Int32 {
        aside.withCString { aside in path.withCString { rename(aside, $0) } }
    }

    /// Makes the new name durable. Where a directory cannot be synchronized, the file is there all the same.
    private static func synchronizeDirectory(of path: FilePath) {
        let descriptor = path.parent.withCString { open($0, O_RDONLY | O_CLOEXEC) }
        if descriptor >= 0 {
            fsync(descriptor)
            systemClose(descriptor)
        }
    }
}
