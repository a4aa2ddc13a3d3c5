import KamuneTestSupport
import Testing

@testable import KamuneTerminal

@Suite("What comes from a terminal")
struct InputDecoderTests {
    private static func events(_ text: String) -> [InputEvent] {
        var decoder = InputDecoder()
        return decoder.decode(Array(text.utf8))
    }

    /// Each byte by itself, with what was typed put together again.
    private static func piecewise(_ bytes: [UInt8]) -> [InputEvent] {
        var decoder = InputDecoder()
        var events: [InputEvent] = []
        for byte in bytes {
            for event in decoder.decode([byte]) {
                if case .text(let more) = event, case .text(let text) = events.last {
                    events[events.count - 1] = .text(text + more)
                } else {
                    events.append(event)
                }
            }
        }
        return events
    }

    @Test(
        "text is text, as much as came at once",
        arguments: ["a", "é🔒", "hello, world", "日本語", "e\u{301}", "👩\u{200D}🚀", "\u{202E}\u{E000}"])
    func text(text: String) {
        #expect(Self.events(text) == [.text(text)])
        #expect(Self.piecewise(Array(text.utf8)) == [.text(text)])
    }

    @Test(
        "keys are keys, of every terminal",
        arguments: [
            ("\r", [Key(.enter)]), ("\n", [.control("j")]), ("\t", [Key(.tab)]), ("\u{7F}", [Key(.backspace)]),
            ("\u{08}", [Key(.backspace, .control)]),
            ("\u{01}\u{1A}\u{1F}", [.control("a"), .control("z"), .control("_")]),
            ("\0", [.control(" ")]),
            ("\u{1B}[A\u{1B}[B\u{1B}[C\u{1B}[D", [Key(.up), Key(.down), Key(.right), Key(.left)]),
            ("\u{1B}OA\u{1B}OB\u{1B}OH\u{1B}OF\u{1B}OM", [Key(.up), Key(.down), Key(.home), Key(.end), Key(.enter)]),
            (
                "\u{1B}[H\u{1B}[F\u{1B}[1~\u{1B}[4~\u{1B}[7~\u{1B}[8~",
                [.home, .end, .home, .end, .home, .end].map { Key($0) }
            ),
            ("\u{1B}[2~\u{1B}[3~\u{1B}[5~\u{1B}[6~", [.insert, .delete, .pageUp, .pageDown].map { Key($0) }),
            // F1 to F12: xterm, VT220, and the Linux console.
            ("\u{1B}OP\u{1B}OQ\u{1B}OR\u{1B}OS", (1...4).map { Key(.function($0)) }),
            ("\u{1B}[11~\u{1B}[12~\u{1B}[13~\u{1B}[14~\u{1B}[15~", (1...5).map { Key(.function($0)) }),
            (
                "\u{1B}[17~\u{1B}[18~\u{1B}[19~\u{1B}[20~\u{1B}[21~\u{1B}[23~\u{1B}[24~",
                (6...12).map { Key(.function($0)) }
            ),
            ("\u{1B}[[A\u{1B}[[B\u{1B}[[C\u{1B}[[D\u{1B}[[E", (1...5).map { Key(.function($0)) }),
            // With modifiers: xterm, rxvt.
            (
                "\u{1B}[1;5C\u{1B}[1;2D\u{1B}[1;3A\u{1B}[1;8B",
                [
                    Key(.right, .control), Key(.left, .shift), Key(.up, .alt), Key(.down, [.shift, .alt, .control]),
                ]
            ),
            ("\u{1B}[3;5~\u{1B}[1;2P\u{1B}[Z", [Key(.delete, .control), Key(.function(1), .shift), Key(.tab, .shift)]),
            (
                "\u{1B}[a\u{1B}Oc\u{1B}[3^\u{1B}[3@",
                [
                    Key(.up, .shift), Key(.right, .control), Key(.delete, .control), Key(.delete, [.control, .shift]),
                ]
            ),
            // Alt.
            ("\u{1B}b\u{1B}é\u{1B}\u{7F}\u{1B}\r", [.alt("b"), .alt("é"), Key(.backspace, .alt), Key(.enter, .alt)]),
            ("\u{1B}\u{1B}[A\u{1B}\u{01}", [Key(.up, .alt), Key(.character("a"), [.alt, .control])]),
            // kitty's protocol, and xterm's modifyOtherKeys.
            (
                "\u{1B}[27u\u{1B}[13;2u\u{1B}[9;5u\u{1B}[127;3u",
                [
                    Key(.escape), Key(.enter, .shift), Key(.tab, .control), Key(.backspace, .alt),
                ]
            ),
            (
                "\u{1B}[97;5u\u{1B}[97:65;6u\u{1B}[27;5;97~",
                [.control("a"), Key(.character("a"), [.control, .shift]), .control("a")]
            ),
            (
                "\u{1B}[57376u\u{1B}[57414u\u{1B}[57419;5u\u{1B}[57428u",
                [Key(.function(13)), Key(.enter), Key(.up, .control)]
            ),
            // Held down, and let go of.
            ("\u{1B}[97;5:1u\u{1B}[97;5:2u\u{1B}[97;5:3u\u{1B}[1;1:3A", [.control("a"), .control("a")]),
        ] as [(String, [Key])])
    func keys(text: String, expected: [Key]) {
        #expect(Self.events(text) == expected.map { .key($0) })
        #expect(Self.piecewise(Array(text.utf8)) == expected.map { .key($0) })
    }

    @Test("keys that type, by other ways than text")
    func typing() {
        #expect(Self.events("a\u{1B}[98u\u{1B}[99:67;2uOd") == [.text("abCOd")])
        #expect(Self.events("\u{1B}Oq\u{1B}Ok\u{1B}[57401u\u{1B}[57413u") == [.text("1+2+")])
    }

    @Test(
        "answers of the terminal are never text",
        arguments: [
            ("\u{1B}[12;40R", .answer(.cursor(column: 39, row: 11))),
            ("\u{1B}[?62;22c", .answer(.attributes([62, 22]))),
            ("\u{1B}[?5u", .answer(.keyboard(flags: 5))), ("\u{1B}[?2026;2$y", .answer(.mode(2026, state: 2))),
            ("\u{1B}]11;rgb:0000/0000/0000\u{1B}\\", .answer(.operatingSystem("11;rgb:0000/0000/0000"))),
            ("\u{1B}]11;rgb:ffff/ffff/ffff\u{07}", .answer(.operatingSystem("11;rgb:ffff/ffff/ffff"))),
            ("\u{1B}P>|tmux 3.4\u{1B}\\", .answer(.device(">|tmux 3.4"))), ("\u{1B}_Gi=1;OK\u{1B}\\", .answer(.other)),
            ("\u{1B}[>1;10;0c", .answer(.other)), ("\u{1B}[0n", .answer(.other)), ("\u{1B}[8;24;80t", .answer(.other)),
            ("\u{1B}[I", .focus(true)), ("\u{1B}[O", .focus(false)),
            ("\u{1B}[<0;3;4M", .mouse(MouseEvent(.press(button: 0), column: 2, row: 3))),
            ("\u{1B}[<18;3;4m", .mouse(MouseEvent(.release(button: 2), column: 2, row: 3, modifiers: .control))),
            ("\u{1B}[<64;1;1M", .mouse(MouseEvent(.wheelUp, column: 0, row: 0))),
            ("\u{1B}[<65;1;1M", .mouse(MouseEvent(.wheelDown, column: 0, row: 0))),
            ("\u{1B}[<35;9;9M", .mouse(MouseEvent(.move(button: nil), column: 8, row: 8))),
            ("\u{1B}[<32;9;9M", .mouse(MouseEvent(.move(button: 0), column: 8, row: 8))),
        ] as [(String, InputEvent)])
    func answers(text: String, expected: InputEvent) {
        let bytes = Array("a\(text)b".utf8)
        #expect(Self.events("a\(text)b") == [.text("a"), expected, .text("b")])
        #expect(Self.piecewise(bytes) == [.text("a"), expected, .text("b")])
    }

    @Test(
        "what is not understood is dropped, whole",
        arguments: [
            "\u{1B}[99;99z", "\u{1B}[99~", "\u{1B}[[Z", "\u{1B}[M !!", "\u{1B}[9;9999999999z",
            "\u{1B}[57358u", "\u{1B}[<0;3M", "\u{1B}[1114112u", "\u{1B}[55296u", "\u{1B}[7u", "\u{9B}", "\u{85}",
        ])
    func unknown(text: String) {
        let events = Self.events("a\(text)b").filter { if case .text = $0 { true } else { false } }
        #expect(events == [.text("ab")] || events == [.text("a"), .text("b")])
    }

    // MARK: What is cut off

    @Test(
        "what is not UTF-8 becomes the replacement character, and what follows is read",
        arguments: [[0xff], [0xc0], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x94], [0x80]] as [[UInt8]])
    func invalid(bytes: [UInt8]) {
        var decoder = InputDecoder()
        #expect(decoder.decode(bytes + Array("ab".utf8)) == [.text("\u{FFFD}ab")])
    }

    @Test(
        "overlong forms, surrogates and what is beyond Unicode are no characters",
        arguments: [[0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0xaf]] as [[UInt8]])
    func impossible(bytes: [UInt8]) {
        var decoder = InputDecoder()
        #expect(decoder.decode(bytes) == [.text(String(repeating: "\u{FFFD}", count: bytes.count))])
    }

    @Test("bytes are decoded as the standard library decodes them")
    func utf8() {
        var random = SeededRandom(5)
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                // Those that matter at the borders, and no controls, which are keys.
                [
                    0x41, 0x7e, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0,
                    0xf3, 0xf4, 0xf5, 0xff,
                ]
                .randomElement(using: &random) ?? UInt8(0x41)
            }
            var decoder = InputDecoder()
            let typed = (decoder.decode(bytes) + decoder.decode([0x41])).reduce(into: "") { text, event in
                if case .text(let more) = event { text += more }
            }
            let expected = String(decoding: bytes + [0x41], as: UTF8.self).unicodeScalars.filter {
                !(0x80...0x9f).contains($0.value)
            }
            #expect(Array(typed.unicodeScalars) == Array(expected), "\(bytes)")
        }
    }

    @Test("sequences without end take no memory, and end")
    func endless() {
        for start in ["\u{1B}[", "\u{1B}]", "\u{1B}P", "\u{1B}_", "\u{1B}[<"] {
            var decoder = InputDecoder()
            #expect(decoder.decode(Array(start.utf8) + [UInt8](repeating: 0x31, count: 100_000)) == [], "\(start)")
            // Whatever it was, with Enter it is over.
            #expect(decoder.decode(Array("\rx".utf8)) == [.key(Key(.enter)), .text("x")], "\(start)")
        }
    }

    @Test(
        "what looks like a beginning and is not is a key, when nothing follows",
        arguments: [
            ("\u{1B}", Key(.escape)), ("\u{1B}[", .alt("[")), ("\u{1B}O", .alt("O")), ("\u{1B}]", .alt("]")),
            ("\u{1B}P", .alt("P")), ("\u{1B}\u{1B}", Key(.escape, .alt)),
        ])
    func settling(text: String, expected: Key) {
        var decoder = InputDecoder()
        #expect(decoder.decode(Array(text.utf8)) == [])
        #expect(decoder.isUndecided)
        #expect(decoder.settle() == [.key(expected)])
        #expect(!decoder.isUndecided)
        #expect(decoder.settle() == [])
        #expect(decoder.decode(Array("x".utf8)) == [.text("x")])
        // Within something longer there is no doubt, and nothing is settled.
        _ = decoder.decode(Array("\u{1B}[1;".utf8))
        #expect(!decoder.isUndecided)
        #expect(decoder.settle() == [])
        #expect(decoder.decode(Array("5A".utf8)) == [.key(Key(.up, .control))])
    }

    // MARK: Pasting

    @Test(
        "what is pasted comes whole, without its controls",
        arguments: [
            ("x", "x"), ("", ""), ("one\rtwo\nthree\r\nfour", "one\ntwo\nthree\nfour"), ("a\tb", "a\tb"),
            ("a\u{1B}[31mb", "a[31mb"), ("a\u{9B}2Jb\u{9D}0;t\u{9C}c", "a2Jb0;tc"), ("a\u{7F}\u{0}\u{8}b", "ab"),
            ("\u{1B}[201", "[201"), ("\u{1B}\u{1B}[20\u{1B}[2", "[20[2"), ("日本 🔒\u{202E}", "日本 🔒\u{202E}"),
        ])
    func pasting(pasted: String, expected: String) {
        let text = "a\u{1B}[200~\(pasted)\u{1B}[201~b\r"
        let events: [InputEvent] = [.text("a"), .paste(Paste(text: expected)), .text("b"), .key(Key(.enter))]
        #expect(Self.events(text) == events)
        #expect(Self.piecewise(Array(text.utf8)) == events)
    }

    @Test("a paste of any size is one event, of which so much is taken")
    func largePaste() {
        var decoder = InputDecoder(maximumPasteSize: 1_000)
        let bytes = Array("\u{1B}[200~".utf8) + [UInt8](repeating: 0x78, count: 61_000) + Array("\u{1B}[201~".utf8)
        #expect(decoder.decode(bytes) == [.paste(Paste(text: String(repeating: "x", count: 1_000), excess: 60_000))])
        // What comes without marks, as from a terminal that knows none, is one event too.
        var plain = InputDecoder()
        #expect(plain.decode([UInt8](repeating: 0x78, count: 61_000)) == [.text(String(repeating: "x", count: 61_000))])
    }

    @Test("any bytes, in any pieces: the same events, and never a control in a text")
    func anything() {
        var random = SeededRandom(8)
        let starts = [
            "\u{1B}[", "\u{1B}O", "\u{1B}]", "\u{1B}P", "\u{1B}[200~", "\u{1B}[201~", "\u{1B}[<", ";", "1", "\u{1B}",
            "\u{7}",
        ]
        for _ in 0..<3_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                if Bool.random(using: &random) {
                    bytes += Array(starts[Int.random(in: 0..<starts.count, using: &random)].utf8)
                } else {
                    bytes.append(UInt8.random(in: 0...255, using: &random))
                }
            }
            var decoder = InputDecoder(maximumPasteSize: 8)
            var pieces = InputDecoder(maximumPasteSize: 8)
            let whole = decoder.decode(bytes)
            let cut = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
            let parts = pieces.decode(bytes[..<cut]) + pieces.decode(bytes[cut...])
            #expect(Self.joined(whole) == Self.joined(parts), "\(bytes)")
            for event in whole {
                switch event {
                case .text(let text): #expect(!text.isEmpty && text.unicodeScalars.allSatisfy { Self.isText($0) })
                case .paste(let paste):
                    #expect(paste.text.utf8.count <= 3 * 8)
                    #expect(paste.text.unicodeScalars.allSatisfy { Self.isText($0) || $0 == "\n" || $0 == "\t" })
                default: break
                }
            }
        }
    }

    private static func isText(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory != .control }

    private static func joined(_ events: [InputEvent]) -> [InputEvent] {
        events.reduce(into: []) { joined, event in
            if case .text(let more) = event, case .text(let text) = joined.last {
                joined[joined.count - 1] = .text(text + more)
            } else {
                joined.append(event)
            }
        }
    }
}
