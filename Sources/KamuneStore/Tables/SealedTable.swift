import Foundation
import GRDB
import KamuneCrypto

/// A table of sealed records: every row is its number, the number of its owner if it has one, the columns by which it is
/// found, and the record.
///
/// A record opens only where it was written (``RecordCipher``). The columns beside it are not sealed, so every reading,
/// whatever it looks for, compares them with what follows from the record: two that were exchanged never go unnoticed.
struct SealedTable<Record: SealedRecord>: Sendable {
    let cipher: RecordCipher
    let indexer: Record.Indexer

    /// The columns that hold what is not sealed.
    private let openColumns: [String]
    private let selection: String

    init(_ cipher: RecordCipher, _ indexer: Record.Indexer) {
        self.cipher = cipher
        self.indexer = indexer
        openColumns = ["id"] + (Record.ownerColumn.map { [$0] } ?? []) + Record.Index.columns
        let read = ["id", Record.ownerColumn ?? "0", Schema.sealed] + Record.Index.columns
        selection = "SELECT \(read.joined(separator: ", ")) FROM \(Record.table) "
    }

    /// The error for a row that is not as it was written.
    var damaged: StoreError { cipher.damaged }

    // MARK: Reading

    /// The record in a row; `nil` when there is none.
    func record(_ row: Int64, in transaction: ReadTransaction) throws -> Record? {
        try first("WHERE id = ?", [row], in: transaction)
    }

    /// The first record that a clause finds.
    func first(
        _ clause: String, _ arguments: StatementArguments, in transaction: ReadTransaction
    ) throws -> Record? {
        let statement = try transaction.database.cachedStatement(sql: selection + clause)
        return try cursor(statement, arguments, nil).next()
    }

    /// All records that a clause finds, or so many of them, in an order.
    func all(
        _ clause: String = "", _ arguments: StatementArguments = [], _ order: RowOrder = .row, limit: Int? = nil,
        in transaction: ReadTransaction
    ) throws -> [Record] {
        let cursor = try cursor(clause, arguments, order, limit: limit, in: transaction)
        var records: [Record] = []
        while let record = try cursor.next() { records.append(record) }
        return records
    }

    /// Reads what a clause finds, or so many of it, one by one, in an order: a record that is not beyond the one before is
    /// damage. The table must not be changed meanwhile, nor read by the same clause.
    func cursor(
        _ clause: String = "", _ arguments: StatementArguments = [], _ order: RowOrder = .row, limit: Int? = nil,
        in transaction: ReadTransaction
    ) throws -> SealedCursor<Record> {
        var sql = selection + clause + order.clause
        var arguments = arguments
        if let limit {
            sql += " LIMIT ?"
            arguments += [limit]
        }
        return try cursor(try transaction.database.cachedStatement(sql: sql), arguments, order)
    }

    private func cursor(
        _ statement: Statement, _ arguments: StatementArguments, _ order: RowOrder?
    ) throws -> SealedCursor<Record> {
        SealedCursor(
            self, try Row.fetchCursor(statement, arguments: arguments), RowColumns(statement.sqliteStatement), order)
    }

    /// Where the number that an order goes by stands in a row of ``selection``.
    fileprivate func position(of order: RowOrder) -> Int {
        Record.Index.columns.firstIndex(of: order.column).map { $0 + 3 } ?? 0
    }

    /// How many rows there are that a clause finds.
    func count(
        _ clause: String = "", _ arguments: StatementArguments = [], in transaction: ReadTransaction
    ) throws -> Int {
        try Int.fetchOne(
            transaction.database, sql: "SELECT count(*) FROM \(Record.table) " + clause, arguments: arguments) ?? 0
    }

    /// Whether there is such a row. Says nothing of its contents.
    func contains(_ row: Int64, in transaction: ReadTransaction) throws -> Bool {
        let statement = try transaction.database.cachedStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM \(Record.table) WHERE id = ?)")
        return try Bool.fetchOne(statement, arguments: [row]) == true
    }

    /// The highest number of the rows that there are; 0 when there are none.
    func highestRow(in transaction: ReadTransaction) throws -> Int64 {
        try Int64.fetchOne(transaction.database, sql: "SELECT max(id) FROM \(Record.table)") ?? 0
    }

    /// The number after the last that the table ever had, for one whose rows are numbered as they come.
    func nextRow(in transaction: ReadTransaction) throws -> Int64 {
        let database = transaction.database
        let last = try Int64.fetchOne(
            database, sql: "SELECT seq FROM sqlite_sequence WHERE name = ?", arguments: [Record.table])
        let next = max(last ?? 0, try highestRow(in: transaction))
        guard next < Int64.max else { throw StoreError.damaged(what: "the numbering of the table \(Record.table)") }
        return next + 1
    }

    /// A random number that no row has.
    func unusedRow(in transaction: ReadTransaction) throws -> Int64 {
        while true {
            let row = cipher.randomRow()
            if try !contains(row, in: transaction) { return row }
        }
    }

    // MARK: Writing

    /// Adds a record, in a row that is not there yet.
    func insert(_ record: Record, in transaction: WriteTransaction) throws {
        try insert(record, .insertion, in: transaction)
    }

    /// Adds a record, in a row that is not there yet, unless another row has what it is to be found by.
    ///
    /// - Returns: whether it was added.
    func insertUnlessFound(_ record: Record, in transaction: WriteTransaction) throws -> Bool {
        try insert(record, .insertionUnlessFound, in: transaction)
    }

    @discardableResult
    private func insert(
        _ record: Record, _ kind: ChangeStatement.Kind, in transaction: WriteTransaction
    ) throws -> Bool {
        let statement = try transaction.change(ChangeStatement.Name(table: Record.table, kind: kind)) {
            insertion(kind)
        }
        return try statement.run(seal(record), openValues(of: record))
    }

    private func insertion(_ kind: ChangeStatement.Kind) -> String {
        let columns = [Schema.sealed] + openColumns
        let marks = columns.map { _ in "?" }.joined(separator: ", ")
        let conflict =
            kind == .insertionUnlessFound
            ? " ON CONFLICT (\(Record.Index.uniqueColumns.joined(separator: ", "))) DO NOTHING" : ""
        return "INSERT INTO \(Record.table) (\(columns.joined(separator: ", "))) VALUES (\(marks))" + conflict
    }

    /// What stands beside a record, in the order of the columns.
    private func openValues(of record: Record) -> [DatabaseValue] {
        let place = record.place
        var values = [place.row.databaseValue]
        if Record.ownerColumn != nil { values.append(place.owner.databaseValue) }
        values += record.index(indexer).values
        return values
    }

    /// Puts a record in the place of another, and touches no more columns than it must. One whose size class stays the same
    /// leaves nothing of its former self.
    ///
    /// - Parameter skippingConflicts: whether nothing is done when another row has what it is to be found by.
    func replace(
        _ old: Record, with new: Record, skippingConflicts: Bool = false, in transaction: WriteTransaction
    ) throws {
        let (former, values) = (openValues(of: old), openValues(of: new))
        var changed: UInt32 = 0
        var arguments: [DatabaseValue] = []
        for (column, value) in values.enumerated() where former[column] != value {
            changed |= 1 << UInt32(column)
            arguments.append(value)
        }
        arguments.append(old.place.row.databaseValue)
        let kind = ChangeStatement.Kind.replacement(columns: changed, skippingConflicts: skippingConflicts)
        let statement = try transaction.change(ChangeStatement.Name(table: Record.table, kind: kind)) {
            let columns = openColumns.enumerated().filter { changed & 1 << UInt32($0.offset) != 0 }.map(\.element)
            let assignments = ([Schema.sealed] + columns).map { "\($0) = ?" }.joined(separator: ", ")
            let verb = skippingConflicts ? "UPDATE OR IGNORE" : "UPDATE"
            return "\(verb) \(Record.table) SET \(assignments) WHERE id = ?"
        }
        _ = try statement.run(seal(new), arguments)
    }

    /// Changes a record.
    ///
    /// - Returns: what it is now.
    @discardableResult
    func change(
        _ record: Record, in transaction: WriteTransaction, _ body: (inout Record) throws -> Void
    ) throws -> Record {
        var changed = record
        try body(&changed)
        try replace(record, with: changed, in: transaction)
        return changed
    }

    /// Removes a row.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    func delete(_ row: Int64, in transaction: WriteTransaction) throws -> Bool {
        let statement = try transaction.database.cachedStatement(sql: "DELETE FROM \(Record.table) WHERE id = ?")
        try statement.execute(arguments: [row])
        return transaction.database.changesCount > 0
    }

    /// Removes the rows that a clause finds.
    ///
    /// - Returns: how many there were.
    @discardableResult
    func deleteAll(
        _ clause: String, _ arguments: StatementArguments, in transaction: WriteTransaction
    ) throws -> Int {
        let statement = try transaction.database.cachedStatement(sql: "DELETE FROM \(Record.table) " + clause)
        try statement.execute(arguments: arguments)
        return transaction.database.changesCount
    }

    // MARK: Sealing

    private func seal(_ record: Record) -> [UInt8] {
        var bytes = record.encoded()
        defer { bytes.withUnsafeMutableBytes { erase($0) } }
        return cipher.seal(bytes, row: record.place.row, owner: record.place.owner)
    }

    /// Opens a row of ``selection``, and finds that what stands beside the record belongs to it.
    fileprivate func open(_ row: RowColumns, _ associatedData: inout RecordCipher.Place) throws -> Record {
        guard let id = row.integer(0), let owner = row.integer(1), let sealed = row.bytes(2),
            let index = Record.Index(row, from: 3)
        else { throw damaged }
        associatedData.move(row: id, owner: owner)
        var bytes = try cipher.open(sealed, at: associatedData)
        defer { bytes.withUnsafeMutableBytes { erase($0) } }
        let record = try cipher.decoding { try Record(at: RecordPlace(row: id, owner: owner), decoding: bytes) }
        guard record.index(indexer) == index else { throw damaged }
        return record
    }
}

/// Reads records one by one.
final class SealedCursor<Record: SealedRecord> {
    private let table: SealedTable<Record>
    private let rows: RowCursor
    /// Those of the row that the cursor has come to.
    private let columns: RowColumns
    private var place: RecordCipher.Place
    private let order: RowOrder?
    /// Where the number that the order goes by stands in a row.
    private let position: Int
    /// The number of the record before.
    private var last: Int64?

    fileprivate init(_ table: SealedTable<Record>, _ rows: RowCursor, _ columns: RowColumns, _ order: RowOrder?) {
        self.table = table
        self.rows = rows
        self.columns = columns
        self.order = order
        position = order.map { table.position(of: $0) } ?? 0
        last = order?.start
        place = table.cipher.place()
    }

    /// The next record; `nil` at the end.
    func next() throws -> Record? {
        guard try rows.next() != nil else { return nil }
        let record = try table.open(columns, &place)
        if let order {
            // As it stands beside the record, with which it was compared.
            guard let number = columns.integer(position), last.map({ order.allows(number, after: $0) }) ?? true else {
                throw table.damaged
            }
            last = number
        }
        return record
    }
}
