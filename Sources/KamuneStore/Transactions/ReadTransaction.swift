import GRDB

/// One consistent view of the store: what is read through it, was so at one moment. It does not leave the closure that it is
/// lent to.
///
/// Its methods throw what the database throws; ``Store/read(_:)`` and ``Store/write(_:)`` make a ``StoreError`` of that.
package class ReadTransaction {
    let database: Database
    let tables: StoreTables

    init(_ database: Database, _ tables: StoreTables) {
        self.database = database
        self.tables = tables
    }

    /// See ``GRDB/Database/checkStructure(of:)``.
    func checkStructure(of table: String? = nil) throws { try database.checkStructure(of: table) }
}

/// A view of the store that nobody else changes meanwhile, and the changes that are made to it: all of them last or, when it
/// ends by an error, none. So what is judged in it still holds when it takes effect.
package final class WriteTransaction: ReadTransaction {
    private var changes = ChangeStatements()

    /// A statement that writes records.
    ///
    /// - Parameter sql: its text, when it was not run yet in this transaction.
    func change(_ name: ChangeStatement.Name, sql: () -> String) throws -> ChangeStatement {
        try changes.statement(name, in: database, sql: sql)
    }

    /// Notes, together with a deletion, that nothing of it is to be left in the file: see ``Erasure``.
    func scheduleErasure() throws {
        try Erasure.schedule(in: self)
    }
}

extension Database {
    /// Makes sure that the pages of the file hang together as they must, and that each index has every row. Every record tells
    /// by itself that it was not altered; that none is missing because the file leads past it, only this tells.
    ///
    /// - Parameter table: the only one to be looked at, with its indices.
    /// - Throws: ``StoreError/damaged(what:)``.
    func checkStructure(of table: String? = nil) throws {
        // The argument is either the table or how many faults are listed. The quick check does not do: it takes a table in
        // whose place an empty one lies for an empty one.
        let argument = table.map { "'\($0)'" } ?? "1"
        let report = try String.fetchAll(self, sql: "PRAGMA integrity_check(\(argument))")
        guard report == ["ok"] else { throw StoreError.damaged(what: "the structure of the file") }
    }
}
