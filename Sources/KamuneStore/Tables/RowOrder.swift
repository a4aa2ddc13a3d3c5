/// The order in which rows are read: by a number that no two of those that are read share.
///
/// The numbers are authenticated with the records. So a reader that demands that they go strictly forward neither takes a
/// page of the file twice nor goes back, however the pages lie: it comes to an end, and what it gave is in order.
struct RowOrder: Sendable {
    /// The column that holds the number.
    let column: String
    let isDescending: Bool
    /// Everything that is read lies beyond it.
    let start: Int64?

    private init(column: String, isDescending: Bool = false, start: Int64? = nil) {
        self.column = column
        self.isDescending = isDescending
        self.start = start
    }

    /// From the first row to the last.
    static let row = RowOrder(column: "id")
    /// From the last row to the first.
    static let rowDescending = RowOrder(column: "id", isDescending: true)

    /// From the first row after one.
    static func row(after start: Int64) -> RowOrder { RowOrder(column: "id", start: start) }

    /// From the last row before one.
    static func row(before start: Int64) -> RowOrder { RowOrder(column: "id", isDescending: true, start: start) }

    /// In the turns in which messages are sent, from the first after one.
    static func turn(after start: Int64) -> RowOrder { RowOrder(column: "turn", start: start) }

    /// What ends a statement that reads so.
    var clause: String { " ORDER BY \(column)\(isDescending ? " DESC" : "")" }

    /// Whether a number may come after another.
    func allows(_ number: Int64, after last: Int64) -> Bool {
        isDescending ? number < last : number > last
    }
}
