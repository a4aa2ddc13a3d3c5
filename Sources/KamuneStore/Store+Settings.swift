import GRDB

extension Store {
    /// A setting's value; `nil` when it was never set.
    public func setting(_ name: String) async throws(StoreError) -> [UInt8]? {
        try await read { try $0.setting(name) }
    }

    /// Sets or removes a setting. Neither name nor value can be seen in the file.
    public func setSetting(_ name: String, to value: [UInt8]?) async throws(StoreError) {
        try await write { try $0.setSetting(name, to: value) }
    }

    /// A setting's value as text; `nil` when it was never set, or is none.
    public func textSetting(_ name: String) async throws(StoreError) -> String? {
        try await setting(name).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The texts whose names begin so.
    public func textSettings(beginning prefix: String) async throws(StoreError) -> [String: String] {
        try await read { transaction in
            let settings = try transaction.tables.settings.all(in: transaction).filter { $0.name.hasPrefix(prefix) }
            let texts = settings.compactMap { setting in
                String(validating: setting.value, as: UTF8.self).map { (setting.name, $0) }
            }
            return Dictionary(texts) { first, _ in first }
        }
    }

    /// Sets a text, or removes the setting.
    public func setTextSetting(_ name: String, to value: String?) async throws(StoreError) {
        try await setSetting(name, to: value.map { Array($0.utf8) })
    }
}

extension ReadTransaction {
    /// A setting's value; `nil` when it was never set.
    package func setting(_ name: String) throws -> [UInt8]? { try settingRecord(name)?.value }

    fileprivate func settingRecord(_ name: String) throws -> SettingRecord? {
        let settings = tables.settings
        return try settings.first(
            "WHERE lookup = ?", [SettingRecord.index(name, settings.cipher).bytes.databaseValue], in: self)
    }
}

extension WriteTransaction {
    /// Sets or removes a setting.
    package func setSetting(_ name: String, to value: [UInt8]?) throws {
        let settings = tables.settings
        let earlier = try settingRecord(name)
        switch (earlier, value) {
        case (let earlier?, let value?): try settings.change(earlier, in: self) { $0.value = value }
        case (let earlier?, nil): try settings.delete(earlier.row, in: self)
        case (nil, let value?):
            let row = try settings.unusedRow(in: self)
            try settings.insert(SettingRecord(row: row, name: name, value: value), in: self)
        case (nil, nil): break
        }
    }
}
