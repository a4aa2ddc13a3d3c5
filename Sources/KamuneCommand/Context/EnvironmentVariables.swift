import KamuneSystem

/// The environment's variables. Their values are bytes, of which nothing is lost on the way: where a passphrase or a path
/// is not UTF-8, another one must not be taken in its place.
struct EnvironmentVariables: Sendable {
    private let values: [[UInt8]: [UInt8]]

    /// Variables of these names and values.
    init(_ values: [String: String]) {
        self.init(entries: values.map { Array("\($0.key)=\($0.value)".utf8) })
    }

    /// - Parameter entries: Each a name, an equals sign and a value, as the system has them. Of several with one name the
    ///   first counts.
    init(entries: [[UInt8]]) {
        var values: [[UInt8]: [UInt8]] = [:]
        for entry in entries {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = Array(entry[..<equals])
            if values[name] == nil { values[name] = Array(entry[(equals + 1)...]) }
        }
        self.values = values
    }

    /// Those of this process.
    static var ofProcess: EnvironmentVariables { EnvironmentVariables(entries: systemEnvironment()) }

    /// The value of a variable; nil when it is not set or empty, which programs take for the same.
    func bytes(_ name: String) -> [UInt8]? {
        values[Array(name.utf8)].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The value as a text; nil also when it is none.
    func text(_ name: String) -> String? {
        bytes(name).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The value as a path.
    func path(_ name: String) -> FilePath? {
        bytes(name).map { FilePath(bytes: $0) }
    }
}
