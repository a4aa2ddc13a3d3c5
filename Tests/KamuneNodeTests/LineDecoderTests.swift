import NIOCore
import NIOEmbedded
import Testing

@testable import KamuneSocket

@Suite("Lines of a socket")
struct LineDecoderTests {
    /// What comes of bytes that arrive in these pieces.
    private func lines(_ pieces: [[UInt8]], limit: Int) throws -> [Line] {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(LineDecoder(limit: limit)))
        for piece in pieces { try channel.writeInbound(ByteBuffer(bytes: piece)) }
        _ = try channel.finish()
        var lines: [Line] = []
        while let line = try channel.readInbound(as: Line.self) { lines.append(line) }
        return lines
    }

    private func line(_ text: String) -> Line { .bytes(Array(text.utf8)) }

    @Test("however lines are split on their way, they are the same")
    func splits() throws {
        let bytes = Array("one\n\ntwo\nlonger than eight\n12345678\n123456789\nü\nunended".utf8)
        let expected = [
            line("one"), line(""), line("two"), .tooLong, line("12345678"), .tooLong, line("ü"),
        ]
        #expect(try lines([bytes], limit: 8) == expected)
        #expect(try lines(bytes.map { [$0] }, limit: 8) == expected)
        for first in 0...bytes.count {
            #expect(try lines([Array(bytes[..<first]), Array(bytes[first...])], limit: 8) == expected, "\(first)")
            for second in first...bytes.count {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                #expect(try lines(pieces, limit: 8) == expected, "\(first) \(second)")
            }
        }
    }

    @Test("a line may be as long as the limit, and one that is longer takes no more memory than that")
    func limit() throws {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(LineDecoder(limit: 1_024)))
        try channel.writeInbound(ByteBuffer(repeating: 0x61, count: 1_024))
        try channel.writeInbound(ByteBuffer(bytes: [0x0a]))
        #expect(try channel.readInbound(as: Line.self) == .bytes([UInt8](repeating: 0x61, count: 1_024)))
        for _ in 0..<1_024 {
            try channel.writeInbound(ByteBuffer(repeating: 0x62, count: 700))
            #expect(try channel.readInbound(as: Line.self) == nil)
        }
        try channel.writeInbound(ByteBuffer(bytes: [0x0a, 0x63, 0x0a]))
        #expect(try channel.readInbound(as: Line.self) == .tooLong)
        #expect(try channel.readInbound(as: Line.self) == .bytes([0x63]))
        _ = try channel.finish()
    }
}
