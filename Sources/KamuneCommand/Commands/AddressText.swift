import Kamune

/// Addresses as people type them.
enum AddressText {
    static let defaultPort = 9_000

    /// The address with the usual port when it names none.
    static func completed(_ text: String) -> String {
        // A relay has no usual port but those of the web.
        if RelayAddressText.isOne(text) { return text }
        // What follows a question mark says how, not where.
        if let mark = text.firstIndex(of: "?") { return completed(String(text[..<mark])) + text[mark...] }
        let rest = text.split(separator: "://", maxSplits: 1).last ?? ""
        let hasPort: Bool
        if rest.hasPrefix("[") {
            hasPort = !rest.hasSuffix("]")
        } else {
            // A number alone is a port; more than one colon is an IPv6 address without brackets, which is told as such.
            hasPort = rest.contains(":") || rest.allSatisfy(\.isNumber)
        }
        return hasPort ? text : "\(text):\(defaultPort)"
    }
}
