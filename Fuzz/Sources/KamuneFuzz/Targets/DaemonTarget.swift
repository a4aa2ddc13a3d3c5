@testable import KamuneDaemon

/// Standard input of the daemon: whatever comes is cut into lines of a bounded length, read as JSON, and as requests with their
/// parameters; and what was read can be written, and reads back the same.
func fuzzDaemon(_ input: [UInt8]) throws {
    let limit = 256
    var cutter = LineCutter(limit: limit)
    var lines: [[UInt8]] = []
    // In two pieces, since a line may come apart anywhere.
    let middle = input.count / 2
    for piece in [Array(input[..<middle]), Array(input[middle...])] {
        for case .line(let line) in piece.withUnsafeBytes({ cutter.take($0) }) { lines.append(line) }
        try expect(cutter.heldCount <= limit, "more than the longest line is held")
    }
    for case .line(let line) in cutter.finish() { lines.append(line) }
    try expect(lines.allSatisfy { $0.count <= limit }, "a line is longer than the longest")
    for line in lines + [input] {
        fuzzRequest(line)
        guard let value = try? JSONParser.parse(line) else { continue }
        let written = JSONWriter.line(value)
        try expect(!written.contains { $0 < 0x20 || $0 == 0x7f }, "a control character was written")
        guard let again = try? JSONParser.parse(written) else {
            throw Finding(description: "what was written is no JSON")
        }
        try expect(JSONWriter.line(again) == written, "a value reads back as another")
    }
}

private func fuzzRequest(_ line: [UInt8]) {
    guard case .command(_, _, let parameters) = DaemonRequest(line: line) else { return }
    if let endpoint = try? parameters.read(EndpointParameters.init), let way = try? endpoint.way() {
        _ = try? endpoint.direct(way)
    }
    _ = try? parameters.read { members throws(JSONMembers.Mismatch) in
        _ = Base64Text.decode(try members.text("data_base64"), isStrict: true)
        _ = try? PeerKey.read(try members.text("public_key"))
        _ = try members.secret("passphrase")
        return (try members.integer("request_id"), try members.flag("accepted"))
    }
}
