import GRDB

/// What a ``SealedTable`` keeps. Of a record nothing stands in the open but its place, and the columns that it is found by.
protocol SealedRecord: Sendable {
    /// The columns beside the record, by which it is found. They follow from the record: see ``index(_:)``.
    associatedtype Index: RecordIndex
    /// What makes them.
    associatedtype Indexer: Sendable = RecordCipher

    /// The table's name.
    static var table: String { get }
    /// The column that names the owner; `nil` for records that belong to none.
    static var ownerColumn: String? { get }

    /// Where it stands.
    var place: RecordPlace { get }
    /// What must stand beside it.
    func index(_ indexer: Indexer) -> Index
    /// The plaintext.
    func encoded() -> [UInt8]
    /// Reads a plaintext. Total: whatever the bytes are, it ends in a record or an error.
    init(at place: RecordPlace, decoding bytes: [UInt8]) throws
}

/// Where a record stands.
struct RecordPlace: Hashable, Sendable {
    /// The row.
    var row: Int64
    /// The row in another table that it belongs to, or 0.
    var owner: Int64 = 0
}

/// Columns by which a record is found.
protocol RecordIndex: Equatable, Sendable {
    /// Their names.
    static var columns: [String] { get }
    /// Those that together no two rows have alike.
    static var uniqueColumns: [String] { get }
    /// Their values, in the same order.
    var values: [DatabaseValue] { get }
    /// Reads them from a row, beginning with a column; `nil` when they are of another kind.
    init?(_ row: RowColumns, from column: Int)
}

/// None: the record is found by its row.
struct NoIndex: RecordIndex {
    static let columns: [String] = []
    static let uniqueColumns: [String] = []
    var values: [DatabaseValue] { [] }

    init() {}

    init?(_ row: RowColumns, from column: Int) {}
}

/// One column: the keyed hash of what the record is found by (``RecordCipher/lookup(_:)``).
struct LookupIndex: RecordIndex {
    let bytes: [UInt8]

    static let columns = ["lookup"]
    static let uniqueColumns = columns
    var values: [DatabaseValue] { [bytes.databaseValue] }

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    init?(_ row: RowColumns, from column: Int) {
        guard let bytes = row.bytes(column) else { return nil }
        self.bytes = [UInt8](bytes)
    }
}
