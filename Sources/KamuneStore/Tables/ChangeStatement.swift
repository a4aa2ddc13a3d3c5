import Foundation
import GRDB
import GRDBSQLite

/// A statement that writes a sealed record, for a transaction that writes many. Its arguments go to SQLite as they are: made
/// into the library's values and lists of them, they cost as much as all that SQLite does with a message.
///
/// It neither begins nor ends a transaction, and does not outlive the one that it is for.
struct ChangeStatement {
    /// What a statement does, apart from its arguments.
    enum Kind: Hashable {
        case insertion
        /// Leaves everything as it is when another row has what the record is to be found by.
        case insertionUnlessFound
        /// Sets these columns besides the record itself, counted in the order that the table gives them.
        case replacement(columns: UInt32, skippingConflicts: Bool)
    }

    /// Which one it is.
    struct Name: Hashable {
        let table: String
        let kind: Kind
    }

    private let statement: Statement

    fileprivate init(_ statement: Statement) {
        self.statement = statement
    }

    /// Runs the statement.
    ///
    /// - Parameters:
    ///   - sealed: its first argument.
    ///   - others: those that follow.
    /// - Returns: whether a row was written.
    func run(_ sealed: [UInt8], _ others: [DatabaseValue]) throws -> Bool {
        let handle = statement.sqliteStatement
        // After some errors SQLite has undone the whole transaction, and what came now would be one of its own.
        if sqlite3_get_autocommit(sqlite3_db_handle(handle)) != 0 { throw DatabaseError(resultCode: .SQLITE_ABORT) }
        defer {
            sqlite3_reset(handle)
            sqlite3_clear_bindings(handle)
        }
        return try sealed.withUnsafeBytes { sealed in
            // Not copied: the bytes stay where they are until the statement is reset.
            try check(sqlite3_bind_blob(handle, 1, sealed.baseAddress, Int32(sealed.count), nil), SQLITE_OK)
            for (position, value) in zip(Int32(2)..., others) { try bind(value, at: position) }
            try check(sqlite3_step(handle), SQLITE_DONE)
            return sqlite3_changes(sqlite3_db_handle(handle)) > 0
        }
    }

    private func bind(_ value: DatabaseValue, at position: Int32) throws {
        let handle = statement.sqliteStatement
        switch value.storage {
        case .null: try check(sqlite3_bind_null(handle, position), SQLITE_OK)
        case .int64(let number): try check(sqlite3_bind_int64(handle, position, number), SQLITE_OK)
        case .blob(let data):
            // SQLite's sign that it is to copy the bytes is the pointer -1, which the importer of C cannot read.
            let copying = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            let code = data.withUnsafeBytes {
                sqlite3_bind_blob(handle, position, $0.baseAddress, Int32($0.count), copying)
            }
            try check(code, SQLITE_OK)
        case .double, .string:
            throw StoreError.misuse(reason: "a column of a kind that no table has")
        }
    }

    private func check(_ code: Int32, _ expected: Int32) throws {
        if code == expected { return }
        let message = sqlite3_errmsg(sqlite3_db_handle(statement.sqliteStatement)).map { String(cString: $0) }
        throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message, sql: statement.sql)
    }
}

/// The statements that a transaction has run, each prepared once.
struct ChangeStatements {
    private var statements: [ChangeStatement.Name: ChangeStatement] = [:]

    /// - Parameter sql: its text, when it was not run yet.
    mutating func statement(
        _ name: ChangeStatement.Name, in database: Database, sql: () -> String
    ) throws -> ChangeStatement {
        if let statement = statements[name] { return statement }
        let statement = ChangeStatement(try database.cachedStatement(sql: sql()))
        statements[name] = statement
        return statement
    }
}
