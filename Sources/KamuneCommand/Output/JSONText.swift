import Foundation
import KamuneNode

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

    /// A value of the node's vocabulary, as its JSON, in which what could steer a terminal is escaped.
    static func encoding(_ value: some Encodable) throws -> String {
        var scalars = String.UnicodeScalarView()
        let text = String(decoding: try JSONCoding.encoder().encode(value), as: UTF8.self)
        for scalar in text.unicodeScalars {
            // Outside of texts there is nothing but plain ASCII.
            if isPlain(scalar) { scalars.append(scalar) } else { scalars.append(contentsOf: escape(scalar)) }
        }
        return String(scalars)
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        var scalars = String.UnicodeScalarView()
        for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            scalars.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".unicodeScalars)
        }
        return scalars
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
            default: scalars.append(contentsOf: escape(scalar))
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
