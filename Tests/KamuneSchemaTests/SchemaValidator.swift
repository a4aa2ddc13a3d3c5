import Foundation
import KamuneDaemon

/// As much of JSON Schema (draft 2020-12) as the node's schemas use. What it does not know is a problem, so that no schema is
/// satisfied by being misunderstood.
struct SchemaValidator: Sendable {
    private let files: [String: JSONValue]

    /// - Parameter files: The schemas by their paths.
    init(_ files: [String: [UInt8]]) throws {
        self.files = try files.mapValues { try JSONParser.parse($0) }
    }

    /// What is wrong with a line; empty when it keeps to the schema.
    func problems(in line: [UInt8], by path: String) throws -> [String] {
        guard let schema = files[path] else { return ["there is no schema \(path)"] }
        return problems(in: try JSONParser.parse(line), schema, path, at: "")
    }

    private static func members(_ value: JSONValue) -> [JSONMember] {
        if case .object(let members) = value { members } else { [] }
    }

    private func problems(in value: JSONValue, _ schema: JSONValue, _ file: String, at place: String) -> [String] {
        let keywords = Self.members(schema)
        func list(_ value: JSONValue) -> [JSONValue] { if case .list(let values) = value { values } else { [value] } }
        var problems: [String] = []
        for keyword in keywords {
            switch (keyword.name, keyword.value) {
            case ("$schema", _), ("title", _), ("contentEncoding", _), ("$defs", _): break
            case ("$ref", .text(let reference)):
                guard let target = self.target(of: reference) else {
                    problems.append("\(place): \(reference) leads nowhere")
                    continue
                }
                problems += self.problems(in: value, target, "definitions.json", at: place)
            case ("type", let types):
                if !list(types).contains(where: { Self.has(value, type: $0) }) {
                    problems.append("\(place): wrong type")
                }
            case ("const", let constant):
                if !Self.areEqual(value, constant) { problems.append("\(place): not the constant") }
            case ("enum", let choices):
                if !list(choices).contains(where: { Self.areEqual(value, $0) }) {
                    problems.append("\(place): none of the values that there are")
                }
            case ("anyOf", let choices):
                if !list(choices).contains(where: { self.problems(in: value, $0, file, at: place).isEmpty }) {
                    problems.append("\(place): none of the forms that there are")
                }
            case ("pattern", .text(let pattern)):
                guard case .text(let text) = value else { continue }
                guard let expression = try? Regex(pattern) else {
                    problems.append("\(place): the pattern is none")
                    continue
                }
                if text.firstMatch(of: expression) == nil { problems.append("\(place): does not have the form") }
            case ("minLength", .integer(let least)):
                if case .text(let text) = value, text.unicodeScalars.count < least {
                    problems.append("\(place): too short")
                }
            case ("minimum", .integer(let least)):
                if let number = Self.number(value), number < Double(least) { problems.append("\(place): too small") }
            case ("maximum", .integer(let most)):
                if let number = Self.number(value), number > Double(most) { problems.append("\(place): too large") }
            case ("items", let items):
                guard case .list(let values) = value else { continue }
                for (index, item) in values.enumerated() {
                    problems += self.problems(in: item, items, file, at: "\(place)[\(index)]")
                }
            case ("properties", let properties):
                for property in Self.members(properties) {
                    for member in Self.members(value) where member.name == property.name {
                        problems += self.problems(in: member.value, property.value, file, at: "\(place).\(member.name)")
                    }
                }
            case ("required", let names):
                guard case .object(let members) = value else { continue }
                for case .text(let name) in list(names) where !members.contains(where: { $0.name == name }) {
                    problems.append("\(place): \(name) is missing")
                }
            default: problems.append("\(place): the keyword \(keyword.name) is not known")
            }
        }
        return problems
    }

    private func target(of reference: String) -> JSONValue? {
        let prefix = "../definitions.json#/$defs/"
        guard reference.hasPrefix(prefix), let definitions = files["definitions.json"],
            let all = Self.members(definitions).first(where: { $0.name == "$defs" })
        else { return nil }
        return Self.members(all.value).first { $0.name == reference.dropFirst(prefix.count) }?.value
    }

    private static func has(_ value: JSONValue, type: JSONValue) -> Bool {
        switch (type, value) {
        case (.text("object"), .object), (.text("array"), .list), (.text("string"), .text), (.text("string"), .secret),
            (.text("integer"), .integer), (.text("number"), .integer), (.text("number"), .number),
            (.text("boolean"), .flag), (.text("null"), .null):
            true
        case (.text("integer"), .number(let number)): number == number.rounded()
        default: false
        }
    }

    private static func number(_ value: JSONValue) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    private static func areEqual(_ a: JSONValue, _ b: JSONValue) -> Bool { JSONWriter.line(a) == JSONWriter.line(b) }
}
