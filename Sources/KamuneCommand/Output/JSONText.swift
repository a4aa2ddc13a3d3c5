/// A value in JSON (RFC 8259), written on one line and so that a terminal may show it: what could steer one, reorder or hide
/// text is escaped, and reads back as it was.
enum JSONText: Sendable, Equatable, CustomStringConvertible {
    case null
    case flag(Bool)
    case number(Int)
    case text(String)
    case list([JSONText])
    /// Members in this order.
    case object([(String, JSONText)])

    /// A text, or null.
    static func optional(_ text: String?) -> JSONText { text.map { .text($0) } ?? .null }

    static func == (a: JSONText, b: JSONText) -> Bool { a.description == b.description }

    var description: String {
        var output = ""
        write(to: &output)
        return output
    }

    private func write(to output: inout String) {
        switch self {
        case .null: output += "null"
        case .flag(let value): output += value ? "true" : "false"
        case .number(let value): output += String(value)
        case .text(let value): Self.write(value, to: &output)
        case .list(let values):
            output += "["
            for (index, value) in values.enumerated() {
                if index > 0 { output += "," }
                value.write(to: &output)
            }
            output += "]"
        case .object(let members):
            output += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { output += "," }
                Self.write(member.0, to: &output)
                output += ":"
                member.1.write(to: &output)
            }
            output += "}"
        }
    }

    private static func write(_ text: String, to output: inout String) {
        var scalars = String.UnicodeScalarView()
        scalars.append("\"")
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": scalars.append(contentsOf: "\\\"".unicodeScalars)
            case "\\": scalars.append(contentsOf: "\\\\".unicodeScalars)
            case "\n": scalars.append(contentsOf: "\\n".unicodeScalars)
            case "\r": scalars.append(contentsOf: "\\r".unicodeScalars)
            case "\t": scalars.append(contentsOf: "\\t".unicodeScalars)
            case _ where isPlain(scalar): scalars.append(scalar)
            default:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    let zeros = String(repeating: "0", count: 4 - digits.count)
                    scalars.append(contentsOf: "\\u\(zeros)\(digits)".unicodeScalars)
                }
            }
        }
        scalars.append("\"")
        output.unicodeScalars.append(contentsOf: scalars)
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return (0x20...0x7e).contains(scalar.value) }
        if scalar.properties.isDefaultIgnorableCodePoint { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
        default: return true
        }
    }
}
