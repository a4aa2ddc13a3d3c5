import GRDB

extension Store {
    /// A setting's value; `nil` when it was never set.
    public func setting(_ name: String) async throws(StoreError) -> [UInt8]? {
        let cipher = keys.settings
        return try await read { try Self.setting($0, cipher, name)?.value }
    }

    /// Sets or removes a setting. Neither name nor value can be seen in the file.
    public func setSetting(_ name: String, to value: [UInt8]?) async throws(StoreError) {
        let cipher = keys.settings
        try await writes.submit { try Self.setSetting($0, cipher, name, to: value) }
    }

    /// A setting's value as text; `nil` when it was never set, or is none.
    public func textSetting(_ name: String) async throws(StoreError) -> String? {
        try await setting(name).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Sets a text, or removes the setting.
    public func setTextSetting(_ name: String, to value: String?) async throws(StoreError) {
        try await setSetting(name, to: value.map { Array($0.utf8) })
    }

    // MARK: In the database

    static func setting(
        _ database: Database, _ cipher: RecordCipher, _ name: String
    ) throws -> (id: Int64, value: [UInt8])? {
        let row = try Row.fetchOne(
            database, sql: "SELECT id, 0, sealed FROM setting WHERE lookup = ?",
            arguments: [cipher.lookup(Array(name.utf8)).databaseData])
        guard let row else { return nil }
        let (storedName, value) = try setting(row, cipher)
        guard storedName == name else { throw cipher.damaged }
        return (row[0], value)
    }

    static func settings(_ database: Database, _ cipher: RecordCipher) throws -> [(name: String, value: [UInt8])] {
        try Row.fetchAll(database, sql: "SELECT id, 0, sealed FROM setting").map { try setting($0, cipher) }
    }

    private static func setting(_ row: Row, _ cipher: RecordCipher) throws -> (name: String, value: [UInt8]) {
        var place = cipher.place()
        let bytes = try cipher.open(row, at: &place)
        return try cipher.decoding {
            var reader = RecordReader(bytes)
            guard try reader.byte() == 1 else { throw RecordReader.Malformed() }
            return (try reader.text(), try reader.byteString())
        }
    }

    static func setSetting(_ database: Database, _ cipher: RecordCipher, _ name: String, to value: [UInt8]?) throws {
        let lookup = cipher.lookup(Array(name.utf8)).databaseData
        guard let value else {
            return try database.execute(sql: "DELETE FROM setting WHERE lookup = ?", arguments: [lookup])
        }
        var writer = RecordWriter(layout: 1)
        writer.append(text: name)
        writer.append(bytes: value)
        writer.pad()
        let id = try setting(database, cipher, name)?.id ?? unusedRow(database, cipher)
        try database.execute(
            sql: "INSERT OR REPLACE INTO setting (id, lookup, sealed) VALUES (?, ?, ?)",
            arguments: [id, lookup, cipher.seal(writer.bytes, row: id).databaseData])
    }
}
