import Foundation
import Kamune
import KamuneNode
import KamuneTerminal

/// Messages of the history as text, for people and for programs. In a terminal, what a message holds is made fit to be
/// shown; elsewhere it stands as it was sent. It cannot pass itself off as another message: every row after its first is
/// indented.
struct HistoryText {
    /// How messages are written.
    enum Format: String, Sendable, CaseIterable {
        case text, markdown, jsonl
    }

    let format: Format
    let peers: PeerList
    /// Whether messages with several peers may follow one another, so that each says with whom it was.
    let isMixed: Bool
    let style: Style
    /// The terminal that it goes to; nil for a file or another program.
    let screen: Screen?
    /// The names of peers, which are looked up once.
    private var names: [ContactID: String] = [:]
    private var lastDay: String?

    init(
        _ format: Format, peers: PeerList, isMixed: Bool, style: Style = Style(isEnabled: false), screen: Screen? = nil
    ) {
        self.screen = screen
        self.format = format
        self.peers = peers
        self.isMixed = isMixed
        self.style = style
        for peer in peers.peers { names[peer.id] = PeerName.shown(for: peer).description }
    }

    /// What comes before the first message.
    func head(of subject: String, at now: Date) -> String {
        switch format {
        case .text: "# \(subject). Times of the local clock (\(Times.zone(now))).\n\n"
        case .markdown: "# \(Self.escaped(subject))\n\nTimes of the local clock (\(Times.zone(now))).\n"
        case .jsonl: ""
        }
    }

    /// A message, with the line break at its end.
    mutating func text(of message: MessageInfo) -> String {
        switch format {
        case .text: line(of: message)
        case .markdown: markdown(of: message)
        case .jsonl: MessageLine(message, peers).text + "\n"
        }
    }

    private func name(_ peer: ContactID) -> String { names[peer] ?? peers.name(of: peer).description }

    // MARK: Text

    private func line(of message: MessageInfo) -> String {
        let isOwn = message.direction == .outgoing
        let peer = PeerName.speaker(name(message.contact))
        let name = isOwn ? (isMixed ? "You to \(peer)" : "You") : peer
        let time = MessageTimes(message).inFull
        let direction = PeerName.direction(isOwn: isOwn)
        let head = "\(style(.faint, time)) \(direction) \(style(isOwn ? .own : .other, name)): "
        let note = Self.note(on: message).map { " (\($0))" }.joined()
        guard let screen else {
            // Further rows stand further in than any message begins.
            return head + Self.lines(of: message).joined(separator: "\n    ") + note + "\n"
        }
        let layout = screen.layout
        let start = TextWidth.of("\(time) \(direction) \(name): ")
        var rows = layout.rows(
            of: Self.lines(of: message).flatMap { TerminalText.lines(of: $0) }, firstColumn: start)
        if !note.isEmpty {
            // Beyond the edge it would not be seen.
            let end = TextWidth.of(rows[rows.count - 1]) + (rows.count == 1 ? start : 0)
            if end + TextWidth.of(note) <= layout.columns {
                rows[rows.count - 1] += style(.faint, note)
            } else {
                rows.append(layout.mark + style(.faint, String(note.dropFirst())))
            }
        }
        rows[0] = head + rows[0]
        return screen.drawn(rows)
    }

    // MARK: Markdown (CommonMark)

    private mutating func markdown(of message: MessageInfo) -> String {
        var text = ""
        let day = Times.localDay(message.localTime)
        if day != lastDay {
            text += "\n## \(day)\n\n"
            lastDay = day
        }
        let peer = Self.escaped(PeerName.speaker(name(message.contact)))
        let isOwn = message.direction == .outgoing
        let name = isOwn ? (isMixed ? "You to \(peer)" : "You") : peer
        // A backslash at the end of a row breaks the line there.
        let body = Self.lines(of: message).enumerated().map { Self.escaped($1, beginsLine: $0 > 0) }
            .joined(separator: "\\\n  ")
        text += "- \(MessageTimes(message).underDay) \(PeerName.direction(isOwn: isOwn)) **\(name):** \(body)"
        text += Self.note(on: message).map { " *(\($0))*" }.joined() + "\n"
        return text
    }

    /// Text in which nothing is a mark of Markdown (CommonMark 0.31, and GitHub's strikethrough). What is none where it stands
    /// stays as it is, for the eye's sake.
    ///
    /// - Parameter beginsLine: Whether it stands at the beginning of a line, where more is a mark.
    static func escaped(_ text: String, beginsLine: Bool = false) -> String {
        let characters = Array(text)
        // What a mark of a list, such as "12.", ends with.
        let digits = characters.prefix { $0.isASCII && $0.isNumber }.count
        var result = ""
        for (index, character) in characters.enumerated() {
            let previous = index > 0 ? characters[index - 1] : nil
            let next = index + 1 < characters.count ? characters[index + 1] : nil
            let isMark =
                isMarkAnywhere(character, after: previous, before: next)
                || beginsLine && index == 0 && "#>+-=|:".contains(character)
                || beginsLine && index == digits && digits > 0 && (character == "." || character == ")")
            if isMark { result += "\\" }
            result.append(character)
        }
        return result
    }

    /// Whether a character within a line is, or might be part of, a mark.
    private static func isMarkAnywhere(
        _ character: Character, after previous: Character?, before next: Character?
    ) -> Bool {
        func isWord(_ character: Character?) -> Bool { character?.isLetter == true || character?.isNumber == true }
        switch character {
        case "*", "`", "[", "~": return true
        // Within a word it is a letter like others.
        case "_": return !(isWord(previous) && isWord(next))
        // Before a mark it would take that away, at the end it would break the line.
        case "\\": return next.flatMap(\.asciiValue).map(isPunctuation) ?? true
        case "<": return next.map { $0.isLetter || "/!?".contains($0) } ?? false
        case "&": return next.map { $0.isLetter || $0 == "#" } ?? false
        // A row of them at the end of a heading would vanish.
        case "#": return previous == " " || previous == "#"
        default: return false
        }
    }

    private static func isPunctuation(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: true
        default: false
        }
    }

    // MARK: Parts

    /// A message's lines, as they were sent.
    private static func lines(of message: MessageInfo) -> [String] {
        guard message.kind == 0 else { return ["[\(Count.of(message.body.count, "byte", "bytes")), not a text]"] }
        return message.text.split(omittingEmptySubsequences: false) { $0.isNewline }.map(String.init)
    }

    /// How far a message of ours has come.
    private static func note(on message: MessageInfo) -> [String] {
        switch message.state {
        case .received: []
        case .waiting: ["waiting"]
        case .inFlight, .sent: ["sent"]
        case .delivered: ["delivered"]
        case .maybeLost: ["may be lost"]
        }
    }
}
