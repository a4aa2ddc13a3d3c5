import KamuneSystem
import KamuneTerminal

/// What went wrong with a file, with what a person can do about it.
enum FileFailure: Error, Equatable, Sendable {
    case exists(path: FilePath, what: String)
    case missing(path: FilePath, what: String)
    case openToOthers(path: FilePath, mode: mode_t)
    case notARegularFile(path: FilePath)
    /// What is to be replaced is no plain file, or is a part of the store.
    case notReplaceable(path: FilePath)
    case tooLarge(path: FilePath, limit: Int)
    case system(path: FilePath, doing: String, code: Int32)
    case unusable(path: FilePath, reason: String)
    /// The path is not UTF-8, and who has to use it takes no other.
    case notText(path: FilePath)
}

extension FileFailure: CustomStringConvertible {
    /// One sentence for a person.
    var description: String {
        switch self {
        case .exists(let path, let what):
            "\(Self.name(path)) exists already; choose another file, or say --force to replace \(what)."
        case .missing(let path, let what):
            "There is no \(what) at \(Self.name(path))."
        case .openToOthers(let path, let mode):
            "\(Self.name(path)) can be read or changed by others (mode \(String(mode, radix: 8))), so it may not be a "
                + "secret any more; if it still is, close it: chmod 600 \(Self.quoted(path))"
        case .notARegularFile(let path):
            "\(Self.name(path)) is not a file that can be used here; name another one."
        case .notReplaceable(let path):
            "\(Self.name(path)) is a part of the store, a link, or no plain file, so it is not replaced; name another file."
        case .tooLarge(let path, let limit):
            "\(Self.name(path)) is larger than \(limit) bytes, so it cannot be what is expected here."
        case .system(let path, let doing, let code):
            "\(Self.name(path)) could not be \(doing): \(SystemError(code))\(Self.advice(code))."
        case .unusable(let path, let reason):
            "\(Self.name(path)) cannot be used: \(reason)"
        case .notText(let path):
            "The path \(Self.name(path)) is not in UTF-8, so nothing can be kept there; name another one, by --db for "
                + "instance."
        }
    }

    private static func name(_ path: FilePath) -> String { "“\(path.shown)”" }

    private static func quoted(_ path: FilePath) -> String {
        let isPlain = path.bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isPlain ? path.shown.description : "'\(path.shown.description.replacing("'", with: "'\\''"))'"
    }

    private static func advice(_ code: Int32) -> String {
        switch code {
        case ENOSPC, EDQUOT: "; make room on the disk and try again"
        case EROFS: "; name a file on a disk that can be written, by --identity or --db"
        case EACCES, EPERM: "; check who owns it and its directory"
        case ENOENT: "; check the path"
        default: ""
        }
    }
}
