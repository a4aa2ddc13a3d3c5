import Foundation
import GRDB

extension [UInt8] {
    /// For an argument of a statement.
    var databaseData: Data { Data(self) }

    /// For an argument of a statement.
    var databaseValue: DatabaseValue { databaseData.databaseValue }

    /// Reads a blob from a row, `nil` when the column holds something else.
    static func read(_ row: Row, _ index: Int) -> [UInt8]? {
        Data.fromDatabaseValue(row[index]).map { [UInt8]($0) }
    }
}
