import Foundation
import Kamune
import KamuneTestSupport
import Testing

@testable import KamuneCommand

@Suite("Passphrases")
struct PassphraseTests {
    /// Gives bytes to a pipe, and reads lines from it.
    private func read(_ bytes: [UInt8], lines: Int = 1) throws -> [[UInt8]?] {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]) }
        #expect(StandardStream(ends[1]).write(bytes) == nil)
        close(ends[1])
        return try (0..<lines).map { _ in
            try Passphrase.readLine(ends[0])?.secret.withUnsafeBytes { Array($0) }
        }
    }

    @Test(
        "a line is read up to its end, and no further",
        arguments: [
            ("secret\n", "secret"), ("secret", "secret"), ("secret\r\n", "secret"), ("two words \n", "two words "),
            ("\n", ""), ("", nil), ("a\u{0}b\n", "a\u{0}b"), ("ü\n", "ü"), ("u\u{308}\n", "\u{FC}"),
        ] as [(String, String?)])
    func lines(input: String, expected: String?) throws {
        #expect(try read(Array(input.utf8)) == [expected.map { Array($0.utf8) }])
    }

    @Test("what follows is left to whoever reads on")
    func several() throws {
        #expect(
            try read(Array("one\ntwo\nthree".utf8), lines: 4) == [
                Array("one".utf8), Array("two".utf8), Array("three".utf8), nil,
            ])
    }

    @Test("what is not UTF-8 stays as it is, and what is too long is refused")
    func limits() throws {
        #expect(try read([0xff, 0xfe, 0x0a]) == [[0xff, 0xfe]])
        let longest = [UInt8](repeating: 0x78, count: Passphrase.sizeLimit)
        #expect(try read(longest + [0x0a]) == [longest])
        #expect(throws: Failure.self) { try read(longest + [0x78]) }
        let failure = #expect(throws: Failure.self) { try Passphrase.readLine(-1) }
        #expect(failure?.status == .locked)
    }

    @Test(
        "what is easily guessed is said to be, by a rule that is easily understood",
        arguments: [
            ("a", "has only 1 character,"), ("hunter2", "has only 7 characters,"), ("ééééé", "has only 5 characters,"),
            ("aaaaaaaaaaaaaaaaaaaa", "consists of few different characters,"),
            ("correct horse battery staple", nil), ("k3Xq9pTz7LwB", nil),
        ] as [(String, String?)])
    func advice(text: String, expected: String?) throws {
        let passphrase = try Passphrase.from(Array(text.utf8))
        let advice = PassphraseAdvice.text(on: passphrase)
        if let expected { #expect(advice?.contains(expected) == true) } else { #expect(advice == nil) }
    }

    @Test(
        "a variable is treated as what is read is: byte for byte, up to the end of the line, no longer than allowed",
        arguments: [
            NamedBytes("plain", Array("secret".utf8)), NamedBytes("a line", Array("secret\n".utf8)),
            NamedBytes("CR LF", Array("secret\r\n".utf8)), NamedBytes("two lines", Array("one\ntwo".utf8)),
            NamedBytes("nothing", []), NamedBytes("an empty line", [0x0A]),
            NamedBytes("decomposed", Array("u\u{308}".utf8)), NamedBytes("no UTF-8", [0xFF, 0x66, 0x0A]),
            NamedBytes("the longest", [UInt8](repeating: 0x78, count: Passphrase.sizeLimit)),
            NamedBytes("too long", [UInt8](repeating: 0x78, count: Passphrase.sizeLimit + 1)),
        ])
    func variables(_ variable: NamedBytes) throws {
        let value = variable.bytes
        func result(_ body: () throws -> [UInt8]?) -> Result<[UInt8], Failure> {
            do {
                return .success(try body() ?? [])
            } catch {
                return .failure(Failure(anything: error))
            }
        }
        let given = result { try Passphrase.from(value).secret.withUnsafeBytes { Array($0) } }
        #expect(given == result { try read(value)[0] })
    }

    @Test(
        "passphrases that differ in bytes that are not UTF-8 differ, and what an earlier version made of them is known")
    func bytes() throws {
        func bytes(_ box: SecretBox?) -> [UInt8]? { box?.secret.withUnsafeBytes { Array($0) } }
        let (first, second): ([UInt8], [UInt8]) = ([0x61, 0xFC], [0x61, 0xE4])
        #expect(bytes(try Passphrase.from(first)) == first)
        #expect(bytes(try Passphrase.from(second)) == second)
        #expect(bytes(Passphrase.earlierForm(of: first)) == Array("a\u{FFFD}".utf8))
        #expect(bytes(Passphrase.earlierForm(of: Array("a\n".utf8))) == Array("a\n".utf8))
        #expect(Passphrase.earlierForm(of: Array("plain ü".utf8)) == nil)
    }

    @Test(
        "the descriptor goes before the variable, and the variable before the terminal",
        arguments: [
            (3, "x", true, .descriptor(3)), (nil, "x", true, .environment("V")), (nil, "", true, .terminal),
            (nil, nil, true, .terminal), (nil, nil, false, nil), (nil, "", false, nil), (0, nil, false, .descriptor(0)),
        ] as [(Int32?, String?, Bool, PassphraseSource?)])
    func sources(descriptor: Int32?, variable: String?, hasTerminal: Bool, expected: PassphraseSource?) {
        let environment = EnvironmentVariables(variable.map { ["V": $0] } ?? [:])
        #expect(
            PassphraseSource.choose(
                descriptor: descriptor, variable: "V", environment: environment, hasTerminal: hasTerminal) == expected)
    }
}
