import KamuneSystem

/// Directories for a person's files.
enum DataDirectory {
    /// Makes a directory and those above it, for nobody else to look into.
    static func create(_ path: FilePath) throws(FileFailure) {
        if path.bytes.isEmpty || path == "/" || make(path) == 0 { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            try create(path.parent)
            if make(path) == 0 || errno == EEXIST { return }
            throw .system(path: path, doing: "created", code: errno)
        case let code:
            throw .system(path: path, doing: "created", code: code)
        }
    }

    private static func make(_ path: FilePath) -> Int32 {
        path.withCString { mkdir($0, 0o700) }
    }
}
