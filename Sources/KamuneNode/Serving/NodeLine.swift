package import Foundation

/// The lines that go through a node's socket, and that the daemon reads and writes: JSON objects, a line each
/// (docs/DAEMON.md).
package enum NodeLine {
    /// What every line has.
    package struct Head: Codable, Sendable {
        /// `cmd` or `evt`.
        package var type: String
        /// What is asked for.
        package var cmd: String?
        /// What is told.
        package var evt: String?
        /// Which request it is, or answers; the client's choice.
        package var id: String?
    }

    private struct Request<Parameters: Encodable>: Encodable {
        let type = "cmd"
        let cmd: String
        let id: String
        let params: Parameters
    }

    private struct Parameters<Value: Decodable>: Decodable {
        let params: Value?
    }

    private struct Event<Contents: Encodable>: Encodable {
        let type = "evt"
        let evt: String
        let id: String?
        let data: Contents
    }

    private struct Contents<Value: Decodable>: Decodable {
        let data: Value
    }

    /// What an error's data is.
    package struct ErrorData: Codable, Sendable {
        /// The sentence.
        package var error: String
        /// The condition.
        package var code: NodeError.Code
    }

    /// How far the greeting's side understands the other.
    package struct Greeting: Codable, Sendable {
        /// The program's version.
        package var version: String
        /// The process, as the daemon of kamune 0.7 writes it.
        package var pid: String
        /// The version of the vocabulary: see ``NodeVocabulary/version``.
        package var vocabulary: Int?
        /// Whether a window must unlock the node first.
        package var locked: Bool?
        /// Whether so many look through the node that this one may only ask how it stands, or have it end.
        package var full: Bool?
    }

    // MARK: Writing

    /// A request.
    package static func request(_ request: some NodeRequest, id: String) -> [UInt8] {
        command(type(of: request).name, request, id: id)
    }

    /// A request of this name.
    package static func command(_ name: String, _ parameters: some Encodable, id: String) -> [UInt8] {
        line(Request(cmd: name, id: id, params: parameters))
    }

    /// An answer.
    package static func answer(_ answer: some Encodable, id: String?) -> [UInt8] {
        let line = Self.line(Event(evt: "response", id: id, data: answer))
        return line.isEmpty ? error(NodeError(.system, "The answer has a number that is none."), id: id) : line
    }

    /// An error.
    package static func error(_ error: NodeError, id: String?) -> [UInt8] {
        line(Event(evt: "error", id: id, data: ErrorData(error: error.message, code: error.code)))
    }

    /// A greeting.
    package static func greeting(_ greeting: Greeting) -> [UInt8] {
        line(Event(evt: "ready", id: nil, data: greeting))
    }

    /// An event.
    package static func event(_ event: NodeEvent) -> [UInt8] {
        line(Event(evt: event.kind.rawValue, id: nil, data: event.data))
    }

    private static func line(_ value: some Encodable) -> [UInt8] {
        // What cannot be written is a number that is none, such as infinity.
        guard var line = try? JSONCoding.encoder().encode(value) else { return [] }
        line.append(UInt8(ascii: "\n"))
        return Array(line)
    }

    // MARK: Reading

    /// What every line has; nil when it is not one.
    package static func head(_ line: [UInt8]) -> Head? {
        try? JSONCoding.decoder().decode(Head.self, from: Data(line))
    }

    /// A request's parameters.
    package static func parameters<Value: Decodable>(
        _ type: Value.Type, in line: [UInt8]
    ) throws(NodeError) -> Value {
        do {
            let decoder = JSONCoding.decoder()
            if let value = try decoder.decode(Parameters<Value>.self, from: Data(line)).params { return value }
            return try decoder.decode(Value.self, from: Data("{}".utf8))
        } catch {
            throw NodeError(.invalidParameter, JSONCoding.sentence(error))
        }
    }

    /// What an event or answer says.
    package static func data<Value: Decodable>(_ type: Value.Type, in line: [UInt8]) throws(NodeError) -> Value {
        do {
            return try JSONCoding.decoder().decode(Contents<Value>.self, from: Data(line)).data
        } catch {
            throw NodeError(.incompatibleNode, "The node said something that cannot be understood.")
        }
    }
}

/// How values are written as JSON: names in lower case with underscores, times in UTC with milliseconds (RFC 3339).
package enum JSONCoding {
    /// Writes JSON.
    package static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Timestamp.text(of: date))
        }
        return encoder
    }

    /// Reads JSON.
    package static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            guard let date = Timestamp.date(in: try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "A time is written as 2026-07-25T12:05:09.250Z.")
            }
            return date
        }
        return decoder
    }

    /// What is wrong with what was read, in one sentence.
    package static func sentence(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "The parameters cannot be read." }
        func place(_ path: [any CodingKey]) -> String {
            path.dropFirst().map(\.stringValue).joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, _): return "The parameter “\(snake(key.stringValue))” is missing."
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            let name = snake(place(context.codingPath))
            return name.isEmpty
                ? "The parameters are no JSON object." : "The parameter “\(name)” has the wrong type."
        case .dataCorrupted(let context):
            let name = snake(place(context.codingPath))
            // That it is JSON was seen already; a number that is too large is told without its place.
            return name.isEmpty
                ? "A parameter has a value that does not fit."
                : "The parameter “\(name)” cannot be read: \(context.debugDescription)"
        @unknown default: return "The parameters cannot be read."
        }
    }

    /// A name as JSON has it.
    package static func snake(_ name: String) -> String {
        var result = ""
        for character in name {
            if character.isUppercase { result += "_" + character.lowercased() } else { result.append(character) }
        }
        return result
    }
}
