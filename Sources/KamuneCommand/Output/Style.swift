/// Colours, where the reader can see them.
struct Style: Sendable {
    /// The looks that text has here.
    enum Look: Sendable {
        case strong, faint, own, other, good, warning

        fileprivate var code: String {
            switch self {
            case .strong: "1"
            case .faint: "2"
            case .own: "32"
            case .other: "36;1"
            case .good: "32"
            case .warning: "31;1"
            }
        }
    }

    let isEnabled: Bool

    init(isEnabled: Bool) {
        self.isEnabled = isEnabled
    }

    /// Colours for what is written to a descriptor: only on a terminal that can show them, and not where NO_COLOR is set
    /// to anything (no-color.org).
    init(for descriptor: Int32, environment: [String: String]) {
        isEnabled = Self.isWanted(isTerminal: TerminalMode.isTerminal(descriptor), environment: environment)
    }

    /// The rule on colours.
    static func isWanted(isTerminal: Bool, environment: [String: String]) -> Bool {
        isTerminal && environment["NO_COLOR", default: ""].isEmpty && !isDumb(environment)
    }

    /// Whether the terminal can only print.
    static func isDumb(_ environment: [String: String]) -> Bool {
        ["", "dumb"].contains(environment["TERM", default: ""])
    }

    /// Text with a look; the text itself must be fit to be shown.
    func callAsFunction(_ look: Look, _ text: some CustomStringConvertible) -> String {
        isEnabled ? "\u{1B}[\(look.code)m\(text)\u{1B}[0m" : "\(text)"
    }
}
