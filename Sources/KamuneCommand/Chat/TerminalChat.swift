import Foundation
import Kamune

/// A conversation in a terminal, one at a time: what is typed goes to whoever is connected, and what they say is shown.
actor TerminalChat {
    private let console: Console
    private let reception: Reception
    private let history: HistoryRecorder
    private let ownName: DisplayText
    private let ownIdentity: PublicIdentity
    private var current: (session: Session, name: DisplayText, record: ConversationRecord)?
    private var isClosing = false
    /// Whether there has been a conversation.
    private(set) var hasTalked = false

    static let help = """
        A line is a message. Lines that begin with / are commands:
          /quit   end the conversation and the program; so do Ctrl-D and Ctrl-C (a second Ctrl-C at once)
          /who    show who is at the other end
          /ping   measure the way there and back
          /help   show this
        To send a line that begins with /, type it twice: //
        """

    init(
        console: Console, reception: Reception, history: HistoryRecorder, ownName: DisplayText,
        ownIdentity: PublicIdentity
    ) {
        self.console = console
        self.reception = reception
        self.history = history
        self.ownName = ownName
        self.ownIdentity = ownIdentity
    }

    // MARK: Conversations

    /// Talks until the session ends.
    ///
    /// - Parameter address: What was dialed or listened on.
    /// - Returns: How it ended; nil when another conversation is under way, and this one was closed instead.
    func converse(_ session: Session, over address: String) async -> SessionEnd? {
        guard !isClosing, await reception.beginConversation() else {
            await session.close()
            return nil
        }
        let name = await reception.name(of: session.peer)
        let record = await history.begin(session, over: address)
        current = (session, name, record)
        hasTalked = true
        await console.show(
            status: "Connected with \(name) (\(session.remoteAddress)). A line is a message; /help says more.", .good)
        await console.showPrompt()
        do throws(KamuneError) {
            for try await message in session.messages {
                await console.show(
                    message: DisplayText(message.text), from: name, at: message.receivedAt, isOwn: false)
                await record.received(message)
            }
        } catch {
            // How it ended is told below.
        }
        if Task.isCancelled { await session.close() }
        let end = await session.waitUntilEnded()
        current = nil
        await record.ended(end)
        await reception.endConversation()
        switch end {
        case .closedByPeer: await console.show(status: "\(name) has ended the conversation.")
        case .closedByUs: await console.show(status: "The conversation with \(name) is closed.")
        case .failed(let error):
            await console.show(
                status: "The conversation with \(name) broke off: \(DisplayText(error.message))", .warning)
        }
        return end
    }

    /// Ends the conversation gracefully, and lets none begin any more.
    func close() async {
        isClosing = true
        guard let current else { return }
        await console.show(status: "Saying goodbye to \(current.name)… Ctrl-C ends at once.")
        await current.session.close()
    }

    // MARK: Typing

    /// Handles what is typed, until the person wants to end.
    func handleInput() async {
        while let line = await console.nextLine() {
            if line.hasPrefix("/"), !line.hasPrefix("//") {
                if await !command(line) { return }
            } else if !line.isEmpty {
                await send(line.hasPrefix("//") ? String(line.dropFirst()) : line)
            }
        }
    }

    /// Does what a command says. False to end.
    private func command(_ line: String) async -> Bool {
        switch line.trimmingCharacters(in: .whitespaces).lowercased() {
        case "/quit", "/exit", "/q": return false
        case "/help": await console.show(status: Self.help)
        case "/who": await showWho()
        case "/ping": await ping()
        default:
            await console.show(
                status:
                    "The command \(DisplayText(line, maximumLength: 32)) is not known. /help lists those that are; to "
                    + "send a line that begins with /, type it twice.", .warning)
        }
        return true
    }

    private func showWho() async {
        var rows = ["You:"] + FingerprintCard.rows(ownIdentity, name: ownName.description)
        if let current {
            let peer = current.session.peer
            rows += ["The other side (\(current.session.remoteAddress)):"]
            rows += FingerprintCard.rows(peer.identity, name: current.name.description)
            rows += FingerprintCard.row("version", [DisplayText(peer.version, maximumLength: 32).description])
        }
        await console.show(status: rows.joined(separator: "\n"))
    }

    private func ping() async {
        guard let current else {
            await console.show(status: "Nobody is connected.")
            return
        }
        do throws(KamuneError) {
            await console.show(
                status: "\(current.name) answered after \(Times.milliseconds(try await current.session.ping())).")
        } catch {
            await console.show(status: "\(current.name) did not answer: \(DisplayText(error.message))", .warning)
        }
    }

    private func send(_ line: String) async {
        guard let current else {
            await console.show(status: "Nobody is connected, so this was not sent.", .warning)
            return
        }
        do throws(KamuneError) {
            let sent = try await current.session.send(line)
            await current.record.sent(Array(line.utf8), at: sent.sentAt)
            await console.show(message: DisplayText(line), from: ownName, at: sent.sentAt, isOwn: true)
        } catch {
            await console.show(status: "This was not sent: \(DisplayText(error.message))", .warning)
        }
    }
}
