import Foundation
import Kamune
import KamuneNode
import KamuneTerminal

/// Conversations in a terminal, one at a time: what is typed goes to the other side, or waits for it, and what they say is
/// shown. Nothing from outside ends it: the person does, since what they are typing would else go to a shell.
actor TerminalChat {
    private struct Current {
        let conversation: ChatConversation
        let addressee: PromptMachine.Addressee
        /// Fulfilled when the conversation is not the current one any more.
        let isOver = Promise<Void>()
        var link: LinkInfo?
        /// Why it was last said that somebody else may be answering.
        var lastSuspicion: NodeError.Code?
        var isConnected = false
        var delivery = DeliveryStatus()

        var name: TerminalText { addressee.name }
    }

    private let console: Console
    private let stage: ChatStage
    private let ownName: TerminalText
    private var current: Current?
    private var isClosing = false
    /// Whether it was said that what comes in cannot be shown any more.
    private var hasToldOfOutput = false
    /// How the last conversation ended; nil when there was none.
    private(set) var lastEnd: ConversationEnd?
    /// Whether there has been a conversation.
    private(set) var hasTalked = false

    static let help = """
        A line is a message, for the one who is named before it. What could not be sent yet waits, and goes out when the \
        other side is there; how far the last ones have come stands at the right: waiting, sent, delivered. What is pasted is \
        one message, sent by Enter. Lines that begin with / are commands:
          /quit   end the conversation and the program; so do Ctrl-D and Ctrl-C (a second Ctrl-C at once)
          /who    show who is at the other end
          /ping   measure the way there and back
          /help   show this
        To send a line that begins with /, type it twice: //
        """

    init(console: Console, stage: ChatStage) {
        self.console = console
        self.stage = stage
        ownName = stage.ownName
    }

    // MARK: Conversations

    /// Talks until the conversation is over.
    ///
    /// - Returns: How it ended; nil when another conversation is under way, and this one was closed instead.
    func converse(_ conversation: ChatConversation) async -> ConversationEnd? {
        guard !isClosing, await stage.reception.connected(conversation.contact) else {
            await conversation.close()
            return nil
        }
        // Who was lost makes room for who is here.
        while let lost = current {
            await lost.conversation.close()
            _ = await lost.isOver.wait()
        }
        let addressee = PromptMachine.Addressee(
            id: conversation.contact, key: conversation.peer.identity, name: await stage.name(of: conversation))
        current = Current(conversation: conversation, addressee: addressee)
        hasTalked = true
        for await event in conversation.events { await take(event, addressee) }
        if Task.isCancelled { await conversation.close() }
        let end = await conversation.waitUntilEnded()
        let unsent = current?.delivery.waitingCount ?? 0
        current?.isOver.fulfill(())
        current = nil
        lastEnd = end
        await console.setNote("")
        if !isClosing {
            // Whoever has said goodbye may come back: what is typed for them still is for them, and waits.
            if stage.keepsMessages { await console.setAway(true) } else { await console.address(nil) }
        }
        await stage.reception.ended(conversation.contact)
        let name = addressee.name
        switch (end.by, end.error) {
        case (.peer, _): await console.show(status: "\(name) has ended the conversation.")
        case (.us, _), (.failure, nil): await console.show(status: "The conversation with \(name) is closed.")
        case (.failure, let error?):
            await console.show(
                status:
                    "The conversation with \(name) broke off: \(TerminalText(error.message, maximumColumns: TextLimit.sentence))",
                .warning)
        }
        if unsent > 0 { await console.show(status: stage.whatBecomes(ofUnsent: unsent).sentence, .warning) }
        return end
    }

    private func take(_ event: NodeEvent, _ addressee: PromptMachine.Addressee) async {
        let name = addressee.name
        switch event {
        case .connected(_, let link): await connected(link, addressee)
        case .disconnected(_, let error):
            current?.isConnected = false
            await stage.reception.lost(addressee.id)
            stage.log.lost(error)
            guard !isClosing else { return }
            await console.show(
                status:
                    "The connection with \(name) is lost: \(TerminalText(error.message, maximumColumns: TextLimit.sentence)) What you write is "
                    + "kept, and goes out when \(name) is back.", .warning)
            await console.setAway(true)
            await console.setNote("reconnecting")
        case .reconnecting(_, let attempt, let seconds):
            stage.log.reconnecting(attempt: attempt, .seconds(seconds))
            if attempt == 1 { await console.show(status: "Reconnecting…") }
        case .reconnectionFailed(_, let error):
            stage.log.reconnectionFailed(error)
            // Said once: it may be anybody on the path who says so, again and again.
            guard error.isSuspicious, current?.lastSuspicion != error.code else { return }
            current?.lastSuspicion = error.code
            await console.show(
                status: "\(TerminalText(error.message, maximumColumns: TextLimit.sentence)) Trying again.", .warning)
        case .message(let message) where message.direction == .outgoing:
            // Written in another window.
            current?.delivery.wrote(message.id)
            await console.show(message: message.text, from: ownName, at: MessageTimes(message), isOwn: true)
            await showNote()
        case .message(let message):
            guard let failure = await stage.output.write([message]), !hasToldOfOutput else { return }
            hasToldOfOutput = true
            await console.show(status: failure.message ?? "", .warning)
        case .stateChanged(_, let id, let state):
            current?.delivery.changed(id, to: state)
            await showNote()
            if state == .maybeLost {
                await console.show(
                    status:
                        "A message to \(name) may be lost: the connection broke before it was known to have arrived.",
                    .warning)
            }
        case .lagged:
            guard let failure = await stage.output.catchUp(), !hasToldOfOutput else { return }
            hasToldOfOutput = true
            await console.show(status: failure.message ?? "", .warning)
        default: break
        }
    }

    private func connected(_ link: LinkInfo, _ addressee: PromptMachine.Addressee) async {
        guard let current else { return }
        let isFirst = current.link == nil
        self.current?.link = link
        self.current?.isConnected = true
        stage.log.established(link)
        _ = await stage.reception.connected(addressee.id)
        await stage.tellDoubt(of: link)
        // Before anything is said that the person could answer.
        await console.address(addressee)
        await console.setAway(false)
        guard isFirst else {
            await console.show(status: "\(addressee.name) is back.", .good)
            await showNote()
            return
        }
        await console.show(
            status:
                "Connected with \(addressee.name) (\(link.address)). A line is a message; /help says more.",
            .good)
        let waiting = await current.conversation.counts().waiting
        if waiting > 0 {
            await console.show(status: "\(Count.messages(waiting)) from before waited, and go out now.")
        }
        await console.showPrompt()
    }

    private func showNote() async {
        guard let current else { return }
        let note = current.delivery.note
        await console.setNote(current.isConnected || !note.isEmpty ? note : "reconnecting")
    }

    /// Ends the conversation gracefully, and lets none begin any more.
    func close() async {
        isClosing = true
        guard let current else { return }
        if current.isConnected { await console.show(status: "Saying goodbye to \(current.name)… Ctrl-C ends at once.") }
        await current.conversation.close()
    }

    // MARK: Typing

    /// Handles what is typed, until the person wants to end.
    func handleInput() async {
        while let line = await console.nextLine() {
            let text = line.text
            // What was pasted as several lines is no command.
            if text.hasPrefix("/"), !text.hasPrefix("//"), !text.contains("\n") {
                if await !command(text) { return }
            } else if !text.isEmpty {
                await send(text.hasPrefix("//") ? String(text.dropFirst()) : text, to: line.addressee)
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
                    "The command \(TerminalText(line, maximumColumns: TextLimit.word)) is not known. /help lists those that are; to "
                    + "send a line that begins with /, type it twice.", .warning)
        }
        return true
    }

    private func showWho() async {
        var rows =
            ["You:"] + FingerprintCard.rows(stage.own.publicKey.key, name: ownName.description)
        if let current {
            let peer = current.conversation.peer
            let place = current.isConnected ? current.link?.address ?? "" : "not connected at the moment"
            rows += ["The other side (\(place)):"]
            rows += FingerprintCard.rows(peer.identity, name: current.name.description)
            rows += FingerprintCard.row(
                "version", [TerminalText(peer.version, maximumColumns: TextLimit.word).description])
        }
        await console.show(status: rows.joined(separator: "\n"))
    }

    private func ping() async {
        guard let current else {
            await console.show(status: "Nobody is connected.")
            return
        }
        do throws(NodeError) {
            let time = try await current.conversation.ping()
            await console.show(status: "\(current.name) answered after \(Times.milliseconds(time)).")
        } catch {
            await console.show(
                status:
                    "\(current.name) did not answer: \(TerminalText(error.message, maximumColumns: TextLimit.sentence))",
                .warning)
        }
    }

    private func send(_ text: String, to addressee: PromptMachine.Addressee?) async {
        guard let addressee else {
            await console.show(status: "Nobody is connected, so this was not sent.", .warning)
            return
        }
        guard let current, current.addressee.id == addressee.id else {
            if stage.keepsMessages { return await leave(text, for: addressee) }
            await console.show(
                status:
                    "This was for \(addressee.name), who is not there any more, so it was not sent: "
                    + "\(TerminalText(text, maximumColumns: TextLimit.line))", .warning)
            return
        }
        do throws(NodeError) {
            let message = try await current.conversation.send(text)
            self.current?.delivery.wrote(message.id)
            await console.show(message: text, from: ownName, at: MessageTimes(message), isOwn: true)
            await showNote()
        } catch  where error.code == .sessionEnded && stage.keepsMessages {
            await leave(text, for: addressee)
        } catch {
            await showNotSent(error)
        }
    }

    /// Keeps a message for somebody who has said goodbye.
    private func leave(_ text: String, for addressee: PromptMachine.Addressee) async {
        do throws(NodeError) {
            let message = try await stage.leave(text, for: addressee.id)
            await console.show(message: text, from: ownName, at: MessageTimes(message), isOwn: true)
            // Who is back already has it, or is about to.
            guard current?.addressee.id != addressee.id else { return }
            await console.show(status: "It waits until \(addressee.name) is back.")
        } catch {
            await showNotSent(error)
        }
    }

    private func showNotSent(_ error: NodeError) async {
        await console.show(
            status: "This was not sent: \(TerminalText(error.message, maximumColumns: TextLimit.sentence))", .warning)
    }
}
