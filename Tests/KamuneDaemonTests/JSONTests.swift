import KamuneCrypto
import KamuneDaemon
import Testing

@Suite("JSON")
struct JSONTests {
    private func again(_ text: String) throws -> String {
        String(decoding: JSONWriter.line(try JSONParser.parse(Array(text.utf8))), as: UTF8.self)
    }

    @Test(
        "What is read is written as it was",
        arguments: [
            "null", "true", "false", "0", "-12", "9223372036854775807", "1.5", "[]", "{}", #""""#, #""a""#,
            "[1,[2,[]]]",
            #"{"a":1,"b":{"c":[null]}}"#, #""\"\\\n\r\t""#, #""é漢🦊""#,
        ])
    func roundTrip(_ text: String) throws {
        #expect(try again(text) == text)
    }

    @Test(
        "Escapes are read",
        arguments: [
            (#""\u0041\/\b\f""#, #""A/\u0008\u000c""#), (#""\ud83e\udd8a""#, "\"🦊\""), (#""\ud83e""#, "\"\u{fffd}\""),
            (#""\udd8a\ud83e""#, "\"\u{fffd}\u{fffd}\""), (#""\ud83ex""#, "\"\u{fffd}x\""),
            (#""\ud83e\u0041""#, "\"\u{fffd}A\""), (#""\u202e""#, #""\u202e""#), (" [ 1 , 2 ] ", "[1,2]"),
            ("1e2", "100.0"), ("9223372036854775808", "9.223372036854776e+18"),
        ])
    func escapes(_ text: String, _ written: String) throws {
        #expect(try again(text) == written)
    }

    @Test(
        "What is no JSON is refused",
        arguments: [
            "", " ", "{", "}", "[", "[1", "[1,", "[,1]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "nul",
            "tru", "+1", "01", "1.", ".5", "1e", "1e+", "-", "--1", "\"", "\"a", "\"\\", "\"\\u12\"", "\"\\x\"",
            "\"\u{1}\"", "\"\n\"", "1 2", "{} {}", "nan", "1e999", "'a'", "/* */ 1", "\u{feff}1",
        ])
    func malformed(_ text: String) {
        #expect(throws: JSONParser.Malformed.self) { try JSONParser.parse(Array(text.utf8)) }
    }

    @Test("Values are nested so deep and no deeper")
    func depth() throws {
        let limit = JSONParser.depthLimit
        let deep = String(repeating: "[", count: limit) + String(repeating: "]", count: limit)
        #expect(try again(deep) == deep)
        for depth in [limit + 1, 1_000_000] {
            #expect(throws: JSONParser.Malformed.self) {
                try JSONParser.parse([UInt8](repeating: UInt8(ascii: "["), count: depth))
            }
            let object = Array(String(repeating: #"{"a":"#, count: min(depth, 10_000)).utf8)
            #expect(throws: JSONParser.Malformed.self) { try JSONParser.parse(object) }
        }
    }

    @Test("Bytes that are no UTF-8 are replaced")
    func invalidUTF8() throws {
        guard case .text(let text) = try JSONParser.parse([0x22, 0x61, 0xff, 0xc3, 0x22]) else {
            Issue.record("no text")
            return
        }
        #expect(text == "a\u{fffd}\u{fffd}")
    }

    @Test("Secrets are kept apart, and never written")
    func secrets() throws {
        let value = try JSONParser.parse(Array(#"{"Passphrase":"a\u0062c","other":"x","password":7}"#.utf8))
        guard case .object(let members) = value, case .secret(let secret) = members[0].value else {
            Issue.record("no secret")
            return
        }
        #expect(secret.bytes.withUnsafeBytes { Array($0) } == Array("abc".utf8))
        #expect(
            String(decoding: JSONWriter.line(value), as: UTF8.self) == #"{"Passphrase":"","other":"x","password":7}"#)
    }
}
