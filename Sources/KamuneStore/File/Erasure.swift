import GRDB

/// Leaves nothing of what was deleted, in the file or its log. A kill before it is done is made up for when the store is
/// opened again.
///
/// SQLite overwrites what is deleted with zeros (`secure_delete`). But when it rearranges its pages it leaves copies of
/// records in the unused parts of them, so the file is written anew, without unused parts, and the log emptied.
enum Erasure {
    /// Notes that there is one to be done.
    static func schedule(in transaction: WriteTransaction) throws {
        try transaction.database.execute(
            sql: "INSERT OR IGNORE INTO chore (id) VALUES (?)", arguments: [Schema.erasureChore])
    }

    /// Whether there is one to be done.
    static func isScheduled(_ database: Database) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM chore WHERE id = ?)", arguments: [Schema.erasureChore]) == true
    }

    /// Does it, outside of a transaction.
    static func perform(_ database: Database) throws {
        // A file that leads past rows would be written anew without them, and be whole for ever after.
        try database.checkStructure()
        // The new file is put together in a temporary one, not in memory. It holds sealed records only.
        try database.execute(sql: "PRAGMA temp_store = FILE")
        defer { try? database.execute(sql: "PRAGMA temp_store = MEMORY") }
        try database.execute(sql: "VACUUM")
        try end(database)
        _ = try database.checkpoint(.truncate)
    }

    /// All that there is to do in memory: no file has copies, and a new one would need a temporary one on the disk.
    static func end(_ database: Database) throws {
        try database.execute(sql: "DELETE FROM chore WHERE id = ?", arguments: [Schema.erasureChore])
    }
}
