import GRDBSQLite

/// The columns of the row at which a statement stands, as SQLite has them: without a value, or an object, for each.
struct RowColumns {
    private let statement: OpaquePointer?

    /// - Parameter statement: one that has just come to a row. What is read is its own until it goes on.
    init(_ statement: OpaquePointer?) {
        self.statement = statement
    }

    /// A number; `nil` when the column holds something else.
    func integer(_ column: Int) -> Int64? {
        let column = Int32(column)
        return sqlite3_column_type(statement, column) == SQLITE_INTEGER ? sqlite3_column_int64(statement, column) : nil
    }

    /// Whether the column holds nothing.
    func isNull(_ column: Int) -> Bool { sqlite3_column_type(statement, Int32(column)) == SQLITE_NULL }

    /// Bytes; `nil` when the column holds something else.
    func bytes(_ column: Int) -> UnsafeRawBufferPointer? {
        let column = Int32(column)
        guard sqlite3_column_type(statement, column) == SQLITE_BLOB else { return nil }
        // In this order, as SQLite asks for.
        let start = sqlite3_column_blob(statement, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
    }
}
