import Foundation
import Kamune
import KamuneNode
import KamuneStore
import Testing

@testable import KamuneCommand

@Suite("The history as text")
struct HistoryTextTests {
    private static let noon = Date(timeIntervalSince1970: 1_784_937_599.25)

    /// A store with a peer, and what was said with them.
    private func history(
        _ name: String, _ bodies: [(MessageDirection, [UInt8])], kind: MessageKind = .text
    ) async throws -> (PeerList, [MessageInfo]) {
        let store = try Store.inMemory()
        let peer = try await store.accept(try Identity.generate().publicKey, name: name, at: Self.noon)
        for (direction, body) in bodies {
            try await store.append(
                direction == .incoming
                    ? .incoming(from: peer.id, body: body, sent: Self.noon, received: Self.noon, kind: kind)
                    : .outgoing(to: peer.id, body: body, at: Self.noon, state: .sent, kind: kind))
        }
        return (try await PeerList(store), try await store.messages(with: peer.id).map(MessageInfo.init))
    }

    private func text(
        _ format: HistoryText.Format, _ name: String, _ bodies: [(MessageDirection, String)], isMixed: Bool = false,
        screen: Screen? = nil
    ) async throws -> String {
        let (peers, messages) = try await history(name, bodies.map { ($0.0, Array($0.1.utf8)) })
        var text = HistoryText(format, peers: peers, isMixed: isMixed, screen: screen)
        return messages.map { text.text(of: $0) }.joined()
    }

    @Test("lines have a time, a name and how far they have come")
    func plain() async throws {
        let time = Times.local(Self.noon)
        #expect(
            try await text(.text, "Ada", [(.incoming, "hello"), (.outgoing, "hi")])
                == "\(time) < Ada: hello\n\(time) > You: hi (sent)\n")
        #expect(
            try await text(.text, "Ada", [(.outgoing, "hi")], isMixed: true) == "\(time) > You to Ada: hi (sent)\n")
    }

    @Test("no name and no message can pass itself off as another message, or steer a terminal")
    func hostile() async throws {
        let body = "one\n2026-07-24 12:00:00 You: two\r\u{2028}- **You:** \u{1B}[2J\u{202E}three"
        let name = "A\nYou: \u{1B}[1mda"
        for format in [HistoryText.Format.text, .markdown, .jsonl] {
            let text = try await text(format, name, [(.incoming, body)])
            let lines = text.split(whereSeparator: \.isNewline)
            #expect(lines.filter { $0.hasPrefix("2026") || $0.hasPrefix("- ") || $0.hasPrefix("{") }.count == 1)
            #expect(!text.contains("\u{1B}[1m"))
        }
        for columns in [2, 10, 20, 40, 80, 81, 120] {
            let screen = Screen(columns: columns, understandsControls: false)
            let text = try await text(.text, name, [(.incoming, body), (.outgoing, body)], screen: screen)
            #expect(text.split(separator: "\n").filter { $0.hasPrefix("2026") }.count == 2)
            #expect(!text.unicodeScalars.contains { ["\u{1B}", "\u{202E}", "\u{2028}", "\r"].contains($0) })
        }
    }

    @Test("whatever somebody calls themselves, their words are neither one's own nor another's")
    func speakers() async throws {
        let time = Times.local(Self.noon)
        for (name, shown) in [
            ("You", "You"), ("You to Bob", "You to Bob"), ("Bob: yes", "“Bob: yes”"), ("B”: x “", "“B: x ”"),
        ] {
            for isMixed in [false, true] {
                let text = try await text(.text, name, [(.incoming, "I owe (delivered)")], isMixed: isMixed)
                #expect(text == "\(time) < \(shown): I owe (delivered)\n")
            }
        }
        #expect(try await text(.markdown, "Bob: yes", [(.incoming, "no")]).contains("< **“Bob: yes”:** no"))
        #expect(
            try await text(.text, "Bob: yes", [(.outgoing, "no")], isMixed: true)
                == "\(time) > You to “Bob: yes”: no (sent)\n")
    }

    @Test("in a file, what was sent stands as it was sent")
    func unchanged() async throws {
        let body = "a\tb\u{A0}c\u{E000}\u{200F}🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}\u{9B}2Jd"
        #expect(try await text(.text, "Ada", [(.incoming, body)]).contains(body))
        #expect(try await text(.markdown, "Ada", [(.incoming, body)]).contains("\u{9B}2Jd"))
    }

    @Test("in a terminal, rows are broken between words, and every row after the first is indented")
    func wrapped() async throws {
        let screen = Screen(columns: 40, understandsControls: true)
        let body = "one two three four five six seven"
        let expected = """
            \u{1B}[?7l\(Times.local(Self.noon)) > You: one two three
                four five six seven (sent)
            \u{1B}[?7h
            """
        #expect(try await text(.text, "Ada", [(.outgoing, body)], screen: screen) == expected)
        let longer = try await text(.text, "Ada", [(.outgoing, body + " eight nine")], screen: screen)
        #expect(longer.hasSuffix("seven eight nine\n    (sent)\n\u{1B}[?7h"))
    }

    @Test("Markdown has a heading for each day, and shows marks as they were typed")
    func markdown() async throws {
        let day = Times.localDay(Self.noon)
        let time = Times.local(Self.noon).dropFirst(11)
        let text = try await text(
            .markdown, "A*da", [(.incoming, "# a *b* [c](d) <e> `f`\nnext"), (.outgoing, "1. x")])
        #expect(
            text == """

                ## \(day)

                - \(time) < **A\\*da:** # a \\*b\\* \\[c](d) \\<e> \\`f\\`\\
                  next
                - \(time) > **You:** 1. x *(sent)*

                """)
    }

    @Test(
        "Markdown escapes what is a mark, and nothing else",
        arguments: [
            ("Hello, world! (It's 5 - 3 = 2; a+b|c: 50% @home.)", "Hello, world! (It's 5 - 3 = 2; a+b|c: 50% @home.)"),
            ("snake_case_name _a_", "snake_case_name \\_a\\_"), ("2 < 3 && x > y", "2 < 3 && x > y"),
            ("<b> &amp; &#35;", "\\<b> \\&amp; \\&#35;"), ("C:\\Users \\* \\", "C:\\Users \\\\\\* \\\\"),
            ("![i](u) ~~s~~ `c`", "!\\[i](u) \\~\\~s\\~\\~ \\`c\\`"), ("talk about C# ##", "talk about C# \\#\\#"),
            ("# no heading", "# no heading"),
        ])
    func escapes(text: String, expected: String) {
        #expect(HistoryText.escaped(text) == expected)
    }

    @Test(
        "at the beginning of a line more is a mark",
        arguments: [
            ("# h", "\\# h"), ("> q", "\\> q"), ("- l", "\\- l"), ("+ l", "\\+ l"), ("12. n", "12\\. n"),
            ("3) n", "3\\) n"), ("===", "\\==="), ("3.5 a", "3\\.5 a"), ("a - b", "a - b"), ("12", "12"), ("", ""),
        ])
    func escapesAtTheBeginning(text: String, expected: String) {
        #expect(HistoryText.escaped(text, beginsLine: true) == expected)
    }

    @Test("a message that waited shows when it was written, and when it came")
    func late() async throws {
        let store = try Store.inMemory()
        let peer = try await store.accept(try Identity.generate().publicKey, name: "Ada", at: Self.noon)
        for (text, seconds) in [("prompt", 59.0), ("late", 7_200), ("next day", 172_800)] {
            try await store.append(
                .incoming(
                    from: peer.id, body: Array(text.utf8), sent: Self.noon,
                    received: Self.noon.addingTimeInterval(seconds)))
        }
        try await store.append(.outgoing(to: peer.id, body: [0x78], at: Self.noon))
        let (peers, stored) = (try await PeerList(store), try await store.messages(with: peer.id))
        let messages = stored.map(MessageInfo.init)
        func at(_ seconds: Double) -> String { Times.local(Self.noon.addingTimeInterval(seconds)) }
        var text = HistoryText(.text, peers: peers, isMixed: false)
        #expect(
            messages.map { text.text(of: $0) } == [
                "\(at(59)) < Ada: prompt\n", "\(at(0)) (arrived \(at(7_200))) < Ada: late\n",
                "\(at(0)) (arrived \(at(172_800))) < Ada: next day\n", "\(at(0)) > You: x (waiting)\n",
            ])
        var markdown = HistoryText(.markdown, peers: peers, isMixed: false)
        let all = messages.map { markdown.text(of: $0) }.joined()
        #expect(all.contains("- \(at(0)) (arrived \(at(172_800).dropFirst(11))) < **Ada:** next day\n"))
        #expect(
            MessageTimes(messages[2]).inBrief
                == "\(Times.localMinute(Self.noon)) (arrived \(Times.ofDay(Self.noon.addingTimeInterval(172_800))))")
        #expect(MessageTimes(messages[0]).inBrief == Times.ofDay(Self.noon.addingTimeInterval(59)))
        var lines = HistoryText(.jsonl, peers: peers, isMixed: false)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(lines.text(of: messages[2]).utf8)) as? [String: Any])
        #expect(object["written"] as? String == Times.stamp(Self.noon))
        #expect(object["received"] as? String == Times.stamp(Self.noon.addingTimeInterval(172_800)))
    }

    @Test("JSON Lines read back as they were")
    func json() async throws {
        let body = "a \"b\" \\ \n\t\u{0}\u{7F}\u{9B}\u{202E}\u{1F512}\u{E0041} é"
        let (peers, messages) = try await history("A\u{200B}da", [(.incoming, Array(body.utf8))])
        var lines = HistoryText(.jsonl, peers: peers, isMixed: false)
        let line = lines.text(of: messages[0])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["text"] as? String == body)
        #expect(object["peer"] as? String == "A\u{200B}da")
        #expect(object["received"] as? String == "2026-07-24T23:59:59.250Z")
        #expect(object["contact"] as? String == peers.peers[0].id.description)
        #expect(object["fingerprint"] as? String == peers.peers[0].fingerprint)
        #expect(object["position"] is NSNumber && object["state"] as? String == "received")
        #expect(object["direction"] as? String == "in")
        #expect(line.hasSuffix("\n") && line.split(separator: "\n").count == 1)
    }

    @Test("what is no text is not shown as one")
    func binary() async throws {
        let (peers, messages) = try await history("Ada", [(.incoming, [0xff, 0x00])], kind: MessageKind(rawValue: 9))
        var text = HistoryText(.text, peers: peers, isMixed: false)
        #expect(text.text(of: messages[0]).hasSuffix("Ada: [2 bytes, not a text]\n"))
        var json = HistoryText(.jsonl, peers: peers, isMixed: false)
        let line = json.text(of: messages[0])
        #expect(line.contains(#""base64":"/wA=""#) && line.contains(#""kind":9,"#) && !line.contains(#""text""#))
        let (others, broken) = try await history("Ada", [(.incoming, [0xff, 0x41])])
        var other = HistoryText(.jsonl, peers: others, isMixed: false)
        #expect(other.text(of: broken[0]).contains(#""base64":"/0E=""#))
    }

    // MARK: What people type and read

    @Test(
        "times as people type them",
        arguments: [
            ("2026-07-24T23:59:59Z", 1_784_937_599, 1_784_937_600), ("2026-07-24 23:59Z", 1_784_937_540, 1_784_937_600),
            ("2024-02-29T00:00:00Z", 1_709_164_800, 1_709_164_801), ("1970-01-01T00:00Z", 0, 60),
        ] as [(String, Double, Double)])
    func moments(text: String, start: Double, end: Double) throws {
        let moment = try #require(TimeSpan(text))
        #expect(moment.start == Date(timeIntervalSince1970: start))
        #expect(moment.end == Date(timeIntervalSince1970: end))
    }

    @Test("days are those of the local clock")
    func localDays() throws {
        let day = try #require(TimeSpan("2026-07-24"))
        #expect(Times.local(day.start) == "2026-07-24 00:00:00")
        #expect(Times.local(day.end) == "2026-07-25 00:00:00")
        let now = day.start.addingTimeInterval(43_200)
        #expect(MomentArgument(argument: "today")?.span(at: now) == day)
        #expect(MomentArgument(argument: "Yesterday")?.span(at: now)?.end == day.start)
        #expect(MomentArgument(argument: "2026-07-24")?.span(at: .distantPast) == day)
        #expect(try #require(TimeSpan("2026-07-24 12:30")).start > day.start)
    }

    @Test(
        "what is no time is refused",
        arguments: [
            "", "now", "2026", "2026-13-01", "2026-02-29", "2026-02-31", "2026-00-10", "2026-7-1", "2026-07-24T24:00",
            "2026-07-24T12:60", "2026-07-24T12:00:60", "2026-07-24T12", "2026-07-24 12:00 ", "1969-12-31",
            "99999-01-01", "2026-07-24Z", "２０２６-07-24",
        ])
    func noMoments(text: String) {
        #expect(MomentArgument(argument: text) == nil)
    }

    @Test("columns are as wide as what is in them, also with wide characters")
    func tables() {
        var table = TextTable(["#", "name", "state"])
        table.append(["1", "東京", "x"])
        table.append(["10", "Ada", "known"])
        #expect(table.lines(Style(isEnabled: false)) == ["#   name  state", "1   東京  x", "10  Ada   known"])
    }
}
