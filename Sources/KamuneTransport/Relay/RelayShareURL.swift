/// The form in which the programs of version 0.7 show where they wait: `relay://host:port?token=…&scheme=tcp&password=1`.
enum RelayShareURL {
    private static let prefix = "relay://"

    /// Whether a text has this form, whatever may be wrong with it.
    static func isOne(_ text: String) -> Bool {
        text.prefix(prefix.count).lowercased() == prefix
    }

    /// The address in our form; the text as it is when it is none. What is wrong with it then shows when it is read.
    static func translated(_ text: String) -> String {
        guard isOne(text), let mark = text.firstIndex(of: "?") else { return text }
        var scheme = Substring("ws")
        var token = Substring()
        for option in text[text.index(after: mark)...].split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch (parts.first ?? "", parts.count) {
            case ("scheme", 2): scheme = parts[1]
            case ("token", 2): token = parts[1]
            // Only says that the relay has a key.
            case ("password", _): break
            default: return text
            }
        }
        return "relay+\(scheme)://\(text[..<mark].dropFirst(prefix.count))#\(token)"
    }
}
