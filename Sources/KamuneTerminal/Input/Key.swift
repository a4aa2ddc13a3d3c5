/// A key that is no text: it does something, or would if it meant anything.
package struct Key: Hashable, Sendable {
    /// Which key.
    package enum Code: Hashable, Sendable {
        case enter, tab, backspace, escape, up, down, left, right, home, end, insert, delete, pageUp, pageDown
        /// F1 to F35.
        case function(Int)
        /// A letter or sign together with Ctrl, Alt or Super; in lower case where the terminal tells it so.
        case character(Unicode.Scalar)
    }

    /// What is held down with it.
    package struct Modifiers: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        package static let shift = Modifiers(rawValue: 1)
        package static let alt = Modifiers(rawValue: 2)
        package static let control = Modifiers(rawValue: 4)
        package static let `super` = Modifiers(rawValue: 8)
    }

    /// Which key.
    package let code: Code
    /// What is held down with it.
    package let modifiers: Modifiers

    package init(_ code: Code, _ modifiers: Modifiers = []) {
        self.code = code
        self.modifiers = modifiers
    }

    /// A letter with Ctrl.
    package static func control(_ scalar: Unicode.Scalar) -> Key { Key(.character(scalar), .control) }

    /// A letter with Alt.
    package static func alt(_ scalar: Unicode.Scalar) -> Key { Key(.character(scalar), .alt) }
}
