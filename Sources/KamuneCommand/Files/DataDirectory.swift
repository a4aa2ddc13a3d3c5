/// Directories for a person's files.
enum DataDirectory {
    /// Makes a directory and those above it, for nobody else to look into.
    static func create(_ path: String) throws(FileFailure) {
        if path.isEmpty || path == "/" || mkdir(path, 0o700) == 0 { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            try create(parent(of: path))
            if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
            throw .system(path: path, doing: "created", code: errno)
        case let code:
            throw .system(path: path, doing: "created", code: code)
        }
    }

    /// The directory that a file is in.
    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
