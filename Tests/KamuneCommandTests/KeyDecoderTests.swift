import Testing

@testable import KamuneCommand

@Suite("Keys")
struct KeyDecoderTests {
    @Test(
        "bytes of a terminal become keys",
        arguments: [
            ("a", [Key.scalar("a")]),
            ("é🔒", [.scalar("é"), .scalar("🔒")]),
            ("\r", [.enter]), ("\n", [.enter]), ("\t", [.scalar(" ")]),
            ("\u{7F}\u{08}", [.backspace, .backspace]),
            ("\u{1B}[A\u{1B}[B\u{1B}[C\u{1B}[D", [.older, .newer, .right, .left]),
            ("\u{1B}OA\u{1B}OB\u{1B}OH\u{1B}OF", [.older, .newer, .lineStart, .lineEnd]),
            (
                "\u{1B}[H\u{1B}[F\u{1B}[1~\u{1B}[4~\u{1B}[7~\u{1B}[8~",
                [.lineStart, .lineEnd, .lineStart, .lineEnd, .lineStart, .lineEnd]
            ),
            ("\u{1B}[3~", [.delete]),
            ("\u{1B}[1;5C\u{1B}[1;5D\u{1B}f\u{1B}b", [.wordRight, .wordLeft, .wordRight, .wordLeft]),
            ("\u{01}\u{05}\u{02}\u{06}\u{0E}\u{10}", [.lineStart, .lineEnd, .left, .right, .newer, .older]),
            (
                "\u{0B}\u{15}\u{17}\u{19}\u{0C}\u{04}",
                [.deleteToEnd, .deleteToStart, .deleteWord, .insertDeleted, .redraw, .endOfInput]
            ),
            ("\u{1B}\u{7F}", [.deleteWord]),
            ("\u{1B}\r", [.enter]),
            ("\u{1B}[200~x\u{1B}[201~", [.scalar("x")]),
            ("\u{1B}[99;99Zx\u{1B}qy", [.scalar("x"), .scalar("y")]),
            ("\u{00}\u{1F}x", [.scalar("x")]),
        ])
    func keys(text: String, expected: [Key]) {
        let bytes = Array(text.utf8)
        var whole = KeyDecoder()
        #expect(whole.decode(bytes) == expected)
        // The same when each byte comes by itself.
        var piecewise = KeyDecoder()
        #expect(bytes.flatMap { piecewise.decode([$0]) } == expected)
    }

    @Test(
        "what is not UTF-8 becomes the replacement character, and what follows is read",
        arguments: [
            [0xff], [0xc0], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x94], [0x80],
        ] as [[UInt8]])
    func invalid(bytes: [UInt8]) {
        var decoder = KeyDecoder()
        #expect(decoder.decode(bytes + Array("ab".utf8)) == [.scalar("\u{FFFD}"), .scalar("a"), .scalar("b")])
    }

    @Test(
        "overlong forms and surrogates are no characters",
        arguments: [[0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80]] as [[UInt8]])
    func impossible(bytes: [UInt8]) {
        var decoder = KeyDecoder()
        #expect(decoder.decode(bytes).allSatisfy { $0 == .scalar("\u{FFFD}") })
    }

    @Test("a sequence without end takes no memory and ends")
    func endless() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0x1b, 0x5b] + [UInt8](repeating: 0x31, count: 100_000)) == [])
        #expect(decoder.decode(Array("Ax".utf8)).last == .scalar("x"))
    }
}
