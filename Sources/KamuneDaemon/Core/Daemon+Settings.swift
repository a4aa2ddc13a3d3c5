import KamuneCrypto
import KamuneSystem

extension Daemon {
    // MARK: Who we are

    /// What stands between the emoji of a fingerprint in one text.
    static let emojiSeparator = " • "

    /// Our fingerprint in every form; empty texts while there is none.
    var fingerprint: JSONValue {
        let key = identity?.fingerprint
        return .members([
            "b64": .text(key?.base64 ?? ""), "emoji": .text(key?.emoji.joined(separator: Self.emojiSeparator) ?? ""),
            "hex": .text(key?.hex ?? ""), "sum": .text(key?.sum ?? ""),
        ])
    }

    func setFingerprintFormat(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let format = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("format") }
        guard format.utf8.count <= DaemonLimits.settingSize else {
            throw DaemonError(.invalidParams, "invalid params: format is longer than \(DaemonLimits.settingSize) bytes")
        }
        settings.fingerprintFormat = format
        await keep(.fingerprintFormat, format)
        log(.debug, "Fingerprint format set to: \(format)")
        respond(id, ["format": .text(format), "status": "set"])
    }

    func setMyName(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let name = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("name") }
        guard name.utf8.count <= DaemonLimits.ownNameSize else {
            throw DaemonError(.nameTooLong, "name must be \(DaemonLimits.ownNameSize) characters or fewer")
        }
        if let storage {
            do throws(DaemonError) {
                try await storage.setSetting(DaemonSettings.Name.ownName.rawValue, to: name)
            } catch {
                throw DaemonError(.namePersistFailed, "persist name: \(error.message)")
            }
        }
        settings.ownName = name
        emit(.localNameChanged, .members(["name": .text(name)]))
        respond(id, ["status": "ok"])
    }

    // MARK: Logs

    func setLogLevel(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let level = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("level") }
        guard LogBuffer.Level(rawValue: level.uppercased()) != nil else {
            throw DaemonError(.invalidParams, "invalid params: level is none of DEBUG, INFO, WARN, ERROR")
        }
        settings.logLevel = level
        await keep(.logLevel, level)
        log(.info, "Log level set to: \(level)")
        respond(id, ["level": .text(level), "status": "set"])
    }

    func exportLogs(_ id: String, _ parameters: DaemonParameters) throws(DaemonError) {
        var path = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.text("file_path") }
        if path.isEmpty { path = "kamune-logs-\(LogFile.name(of: time.date)).txt" }
        try LogFile.write(logs.entries, to: path, sparing: storagePath)
        log(.info, "Exported logs to \(path)")
        respond(id, ["file_path": .text(path), "status": "exported"])
    }
}
