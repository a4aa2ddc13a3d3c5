import Foundation

/// Where a person's identity and known peers are kept unless they say otherwise.
enum DataDirectory {
    /// `$XDG_DATA_HOME/kamune` where that is set; else `~/Library/Application Support/kamune` on Apple's platforms and
    /// `~/.local/share/kamune` elsewhere (XDG Base Directory Specification 0.8).
    static func path(_ environment: [String: String]) throws(FileFailure) -> String {
        // Relative paths are invalid there, and to be ignored.
        if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") { return base + "/kamune" }
        guard let home = environment["HOME"], home.hasPrefix("/") else { throw .noHome }
        #if canImport(Darwin)
        return home + "/Library/Application Support/kamune"
        #else
        return home + "/.local/share/kamune"
        #endif
    }

    /// The identity's file.
    static func identityFile(_ environment: [String: String]) throws(FileFailure) -> String {
        try path(environment) + "/identity.pem"
    }

    /// The file of known peers.
    static func peersFile(_ environment: [String: String]) throws(FileFailure) -> String {
        try path(environment) + "/known-peers"
    }

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
