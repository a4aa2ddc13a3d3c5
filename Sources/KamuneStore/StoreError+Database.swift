import GRDB

extension StoreError {
    /// Runs something that throws all sorts of errors, and throws only this one.
    static func wrapping<Value>(path: String = "", _ body: () throws -> Value) throws(StoreError) -> Value {
        do {
            return try body()
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Runs what opens a database or brings it to the present form. There, what the statements meet is what this program
    /// made: if they fail for what is in the file and not for the system's sake, the file is damaged.
    static func wrappingOpening<Value>(path: String, _ body: () throws -> Value) throws(StoreError) -> Value {
        do {
            return try body()
        } catch let error as DatabaseError where contents.contains(error.resultCode) {
            throw .damaged(what: "the structure of the file")
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// What SQLite answers to statements that do not fit what is in the file.
    private static let contents: [ResultCode] = [
        .SQLITE_ERROR, .SQLITE_INTERNAL, .SQLITE_NOTFOUND, .SQLITE_EMPTY, .SQLITE_SCHEMA, .SQLITE_TOOBIG,
        .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_FORMAT, .SQLITE_RANGE,
    ]

    /// Translates an error of the database.
    init(_ error: any Error, path: String = "") {
        switch error {
        case let error as StoreError: self = error
        case is CancellationError: self = .cancelled
        case let error as DatabaseError: self = Self.translate(error, path: path)
        // A column holds what it never holds.
        case is RowDecodingError: self = .damaged(what: "a row of the file")
        default: self = .system(operation: "The store's database", reason: "\(error)")
        }
    }

    private static func translate(_ error: DatabaseError, path: String) -> StoreError {
        switch error.resultCode {
        case .SQLITE_FULL: .diskFull
        case .SQLITE_READONLY: .readOnly(path: path)
        case .SQLITE_BUSY, .SQLITE_LOCKED: .inUse(process: nil)
        case .SQLITE_CORRUPT: .damaged(what: "a page of the file")
        case .SQLITE_NOTADB: .notAStore(path: path)
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: .accessDenied(path: path)
        case .SQLITE_INTERRUPT, .SQLITE_ABORT: .cancelled
        // A store that is being closed answers with this.
        case .SQLITE_MISUSE: .closed
        // SQLite calls a write that the system cut short so: the disk's, the quota's or the process's limit.
        case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHORT_READ: .truncated(path: path)
        case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_WRITE: .diskFull
        // The index of the log could not be made larger.
        case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: .diskFull
        default:
            .system(operation: "The store's database", reason: error.message ?? "error \(error.resultCode.rawValue)")
        }
    }
}
