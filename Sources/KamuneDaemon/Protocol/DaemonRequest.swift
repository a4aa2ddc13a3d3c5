/// A line from a program.
public enum DaemonRequest: Sendable {
    /// A command with its parameters.
    case command(DaemonCommand, id: String, DaemonParameters)
    /// A command that the Go daemon does not have.
    case beyond(name: String, id: String)
    /// Something of another type, which the Go daemon does not have.
    case other(type: String, id: String)
    /// Something that cannot be followed.
    case invalid(id: String, DaemonError)

    /// The type of commands.
    static let commandType = "cmd"
    /// The type of events.
    static let eventType = "evt"

    /// Reads a line. What the Go daemon takes is taken: names of members in any case, members that it does not know, and
    /// `null` for none.
    public init(line: [UInt8]) {
        let value: JSONValue
        do throws(JSONParser.Malformed) {
            value = try JSONParser.parse(line)
        } catch {
            self = .invalid(id: "", DaemonError(.invalidJSON, "invalid JSON: \(error)"))
            return
        }
        guard let members = JSONMembers(value) else {
            self = .invalid(id: "", DaemonError(.invalidJSON, "invalid JSON: the line is no object but \(value.kind)"))
            return
        }
        do throws(JSONMembers.Mismatch) {
            let id = try members.text("id")
            let type = try members.text("type")
            let name = try members.text("cmd")
            guard type == Self.commandType else {
                self = .other(type: type, id: id)
                return
            }
            guard let command = DaemonCommand(rawValue: name) else {
                self = .beyond(name: name, id: id)
                return
            }
            self = .command(command, id: id, DaemonParameters(members["params"]))
        } catch {
            self = .invalid(id: "", DaemonError(.invalidJSON, "invalid JSON: \(error)"))
        }
    }
}

/// A text of somebody else in a sentence, not longer than makes sense there.
struct Quoted: CustomStringConvertible {
    let description: String

    init(_ text: String, limit: Int = DaemonLimits.quotedSize) {
        description = text.utf8.count <= limit ? text : String(text.prefix(limit / 4)) + "…"
    }
}
