import Foundation
import KamuneSystem

/// What is done to the files around the database: permissions, a look at the header, moving into place.
enum StoreFile {
    /// The permissions of everything that is made here: the owner's alone.
    static let mode: mode_t = 0o600
    static let directoryMode: mode_t = 0o700

    /// What an SQLite file begins with (SQLite's file format, §1.3).
    private static let magic = Array("SQLite format 3".utf8) + [0]
    private static let headerSize = 100

    /// Makes the folder for a file, and the folders above it, for the owner alone. Existing ones stay as they are.
    static func makeDirectory(_ path: String) throws(StoreError) {
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue { return }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: Int(directoryMode)])
        } catch {
            throw .system(operation: "Making the folder \(path)", reason: "it cannot be made there")
        }
    }

    /// Makes an empty file, which must not exist.
    static func create(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure(errno, path: path) }
        // The process's mask may have taken more away; nothing may be added.
        fchmod(descriptor, mode)
        Foundation.close(descriptor)
    }

    /// Refuses what is there and is no regular file: a device would answer to everything, and opening a pipe waits for its
    /// other end.
    static func checkKind(_ path: String) throws(StoreError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            // A link to nothing looks as if nothing were there.
            if errno == ENOENT, lstat(path, &status) == 0 { throw .notAFile(path: path, kind: .linkToNothing) }
            return
        }
        let kind: StoreError.FileKind
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: kind = .folder
        case S_IFCHR, S_IFBLK: kind = .device
        case S_IFIFO: kind = .pipe
        case S_IFSOCK: kind = .socket
        default: kind = .other
        }
        throw .notAFile(path: path, kind: kind)
    }

    /// Refuses files that others can read or write.
    static func checkPermissions(_ location: StoreLocation) throws(StoreError) {
        for path in [location.path, location.logPath, location.sharedMemoryPath] {
            var status = stat()
            guard stat(path, &status) == 0 else { continue }
            let mode = UInt32(status.st_mode) & 0o777
            guard mode & 0o077 == 0 else { throw .readableByOthers(path: path, mode: mode) }
        }
    }

    /// Looks at the header: is it a store, of a version that is known, and is the file as long as it must be?
    static func checkHeader(_ location: StoreLocation) throws(StoreError) {
        let descriptor = open(location.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno, path: location.path) }
        defer { Foundation.close(descriptor) }
        var header = [UInt8](repeating: 0, count: headerSize)
        let count = header.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else { throw failure(errno, path: location.path) }
        guard header.prefix(count).starts(with: magic.prefix(count)) else { throw .notAStore(path: location.path) }
        guard count == headerSize else { throw .truncated(path: location.path) }
        guard field(header, 68) == UInt32(Schema.applicationID) else { throw .notAStore(path: location.path) }
        try Schema.check(version: Int(field(header, 60)))
        // While the log holds something, it and not the file has the last word about the file's size.
        guard size(of: location.logPath) == 0 else { return }
        let rawPageSize = Int(header[16]) << 8 | Int(header[17])
        let pageSize = rawPageSize == 1 ? 65_536 : rawPageSize
        guard pageSize >= 512 else { throw .damaged(what: "the header of the file") }
        guard size(of: location.path) >= Int(field(header, 28)) * pageSize else {
            throw .truncated(path: location.path)
        }
    }

    private static func field(_ header: [UInt8], _ offset: Int) -> UInt32 {
        header[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The size of a file in bytes, 0 when there is none.
    static func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Whether this process may write a file.
    static func isWritable(_ path: String) -> Bool { access(path, W_OK) == 0 }

    /// Has the disk keep what was written to a file, or which files a folder holds.
    static func synchronize(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno, path: path) }
        defer { Foundation.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(errno, path: path) }
    }

    /// Moves a finished file to its place, durably.
    ///
    /// - Parameters:
    ///   - replacing: whether what stands there may be replaced, if it is a plain file.
    ///   - files: these may not.
    static func move(
        _ source: String, to path: String, replacing: Bool, sparing files: [String] = []
    ) throws(StoreError) {
        try synchronize(source)
        if replacing {
            try checkReplaceable(path, sparing: files)
            guard rename(source, path) == 0 else { throw failure(errno, path: path) }
        } else {
            // A link fails where something stands already; a rename would replace it.
            guard link(source, path) == 0 else {
                throw errno == EEXIST ? .alreadyExists(path: path) : failure(errno, path: path)
            }
            unlink(source)
        }
        try synchronize(StoreLocation(path: path).directory)
    }

    /// Refuses to replace what is no plain file, or one of those that are to be spared, by whichever name.
    static func checkReplaceable(_ path: String, sparing files: [String]) throws(StoreError) {
        var found = stat()
        guard lstat(path, &found) == 0 else {
            if errno == ENOENT { return }
            throw failure(errno, path: path)
        }
        guard found.st_mode & S_IFMT == S_IFREG else { throw .notReplaceable(path: path) }
        for file in files {
            var spared = stat()
            guard stat(file, &spared) == 0 else { continue }
            guard spared.st_dev != found.st_dev || spared.st_ino != found.st_ino else {
                throw .notReplaceable(path: path)
            }
        }
    }

    // MARK: What is not finished

    /// What SQLite puts beside a database, and the database itself.
    static let suffixes = ["", "-wal", "-shm", "-journal"]

    /// What a store is made as before it is moved to its place.
    enum Unfinished: String, CaseIterable {
        case new = ".new-"
        case restored = ".restore-"

        /// The path for it.
        func path(_ location: StoreLocation, _ number: UInt32) -> String {
            location.path + rawValue + String(number, radix: 16)
        }
    }

    /// Removes what was left by a process that ended while it made a store at a place: it may hold a private key without
    /// protection. Whoever makes one there has the store's lock meanwhile, so it is called by who has the lock.
    static func removeUnfinished(beside location: StoreLocation) {
        let folder = location.directory
        let name = location.path.split(separator: "/").last.map(String.init) ?? ""
        for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where file.hasPrefix(name) && isUnfinished(file.dropFirst(name.count)) {
            remove(folder + "/" + file)
        }
    }

    /// Whether what follows a store's name makes it the name of one that is not finished. One that is restored is made anew, too,
    /// beside its own place.
    private static func isUnfinished(_ rest: Substring) -> Bool {
        var rest = rest
        var count = 0
        while let mark = Unfinished.allCases.first(where: { rest.hasPrefix($0.rawValue) })?.rawValue {
            let digits = rest.dropFirst(mark.count).prefix(while: \.isHexDigit)
            guard let number = UInt32(digits, radix: 16), String(number, radix: 16) == digits else { return false }
            rest = rest.dropFirst(mark.count + digits.count)
            count += 1
        }
        return count > 0 && (suffixes + [".lock"]).contains(String(rest))
    }

    /// Removes a file, if it is there.
    static func remove(_ path: String) {
        unlink(path)
    }

    /// Translates the system's error numbers.
    static func failure(_ number: Int32, path: String) -> StoreError {
        switch number {
        case ENOENT, ENOTDIR: .notFound(path: path)
        case EEXIST: .alreadyExists(path: path)
        case EACCES, EPERM: .accessDenied(path: path)
        case EROFS: .readOnly(path: path)
        case ENOSPC, EDQUOT, EFBIG: .diskFull
        default: .system(operation: "Using the file \(path)", reason: String(cString: strerror(number)))
        }
    }
}
