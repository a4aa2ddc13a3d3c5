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

    /// The rule on colours: only on a terminal that can show them, and not where NO_COLOR is set to anything (no-color.org).
    static func isWanted(isTerminal: Bool, environment: EnvironmentVariables) -> Bool {
        isTerminal && environment.bytes("NO_COLOR") == nil && !isDumb(environment)
    }

    /// Whether the terminal can only print.
    static func isDumb(_ environment: EnvironmentVariables) -> Bool {
        environment.text("TERM").map { $0 == "dumb" } ?? true
    }

    /// Text with a look; the text itself must be fit to be shown.
    func callAsFunction(_ look: Look, _ text: some CustomStringConvertible) -> String {
        isEnabled ? "\u{1B}[\(look.code)m\(text)\u{1B}[0m" : "\(text)"
    }
}
