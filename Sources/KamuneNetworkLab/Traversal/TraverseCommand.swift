import ArgumentParser
import Foundation
import KamuneBroker
import KamuneCrypto
import KamuneSystem
import KamuneTransport
import KamuneTraversal

/// `traverse`: one side of a try to reach somebody directly; what the other needs is said and read in lines.
struct TraverseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traverse",
        abstract: "Try to reach the other side directly. Writes an offer, reads the other's, and says what came of it.")

    /// A secret that both sides have; the laboratory has nothing to hide.
    private static let secret = [UInt8](repeating: 7, count: 32)

    @Option(help: "A broker, as address:port; give two.")
    var broker: [String]

    @Flag(help: "Open the conversation, instead of taking it.")
    var initiate = false

    func run() async throws {
        let brokers = try broker.map { text in
            guard let endpoint = IPEndpoint(parsing: text) else { throw ValidationError("“\(text)” is no endpoint.") }
            return endpoint
        }
        let path = try await DirectPath.prepare(brokers: brokers)
        Self.say("\(hexadecimal(path.offer.encoded)) \(path.offer.mapping)")
        guard let line = readLine(), let bytes = parseHexadecimal(line), let theirs = TraversalOffer(parsing: bytes)
        else {
            throw ValidationError("The other side's offer cannot be read.")
        }
        let clock = SystemTime()
        let begin = clock.monotonic
        do {
            let connection = try await path.connect(
                role: initiate ? .initiator : .responder, key: SecretBytes(copying: Self.secret), to: theirs,
                isPeerProven: true)
            if initiate { try await connection.send([[1, 2, 3]]) }
            guard let frame = try await connection.receive()?.first, frame == [1, 2, 3] else {
                return Self.say("broken")
            }
            if !initiate { try await connection.send([frame]) }
            let milliseconds = Int((clock.monotonic - begin) / .milliseconds(1))
            Self.say("direct \(milliseconds) ms \(connection.info.remoteAddress)")
            await connection.close()
        } catch {
            Self.say("none: \(error)")
        }
    }

    /// Writes a line at once.
    static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}

/// Bytes as digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// Digits as bytes; `nil` for anything else.
func parseHexadecimal(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    let bytes = stride(from: 0, to: digits.count, by: 2).map {
        UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
    }
    return bytes.contains(nil) ? nil : bytes.compactMap { $0 }
}
