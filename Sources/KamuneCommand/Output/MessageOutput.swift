import Kamune
import KamuneNode
import KamuneSystem
import KamuneTerminal

/// Where what arrives is written: standard output, or the console.
///
/// What is kept is written in the order in which it was stored, over all conversations, and the store is told how far that
/// has come: so whatever ended the program, and whatever became of the reader, the next one begins with what was not written.
/// After a kill a few messages may be written again. What is not kept is written as it comes.
actor MessageOutput {
    /// Writes messages, and tells what went wrong, if something did.
    typealias Writing = @Sendable (_ messages: [MessageInfo], _ peers: PeerList) async -> SystemError?

    /// The output of those who name none.
    static let standardName = "standard"

    private let node: any NodeAccess
    /// By which the store knows how far this output has come; nil where nothing is kept.
    private let name: String?
    private let put: Writing
    /// How far it has come, and how far the store knows that it has.
    private var written: Position?
    private var noted: Position?
    /// Those whose messages were written, as they were then.
    private var peers = PeerList([])
    private var known: Set<ContactID> = []
    private var writing: Task<Void, Never>?
    private var noting: Task<Void, Never>?
    /// Why nothing more can be written.
    private(set) var failure: Failure?

    init(_ node: any NodeAccess, name: String?, put: @escaping Writing) {
        self.node = node
        self.name = name
        self.put = put
    }

    /// How many bytes of messages are written at once of what came in before: what may be written again when the program is
    /// told to end while a slow reader takes them.
    private static let backlogBytes = 64 << 10

    /// Writes what came in before and was not written.
    ///
    /// - Parameter isStopped: Whether the program was told to end meanwhile; the rest is for the next start.
    /// - Returns: What went wrong, if something did.
    func begin(isStopped: @Sendable () -> Bool = { false }) async -> Failure? {
        guard let name else { return nil }
        do throws(NodeError) {
            written = try await node.ask(GetOutput(name)).written
            noted = written
            var isEnd = false
            while !isEnd, failure == nil, !isStopped() {
                isEnd = try await writePage(through: nil, bytes: Self.backlogBytes)
            }
        } catch {
            failure = Failure(error)
        }
        return failure
    }

    /// Writes messages that came in, after what came before them. Waits while the reader is slow.
    ///
    /// - Returns: What went wrong, if something did.
    func write(_ messages: [MessageInfo]) async -> Failure? {
        guard let last = messages.last?.position, failure == nil else { return failure }
        guard name != nil else {
            // Several conversations at once: what one brings stays together.
            await inTurn { await self.writeUnkept(messages) }
            return failure
        }
        while failure == nil, let written, written < last {
            await inTurn { await self.writeKept(messages, through: last) }
        }
        return failure
    }

    /// What is known of peers may have changed.
    func contactsHaveChanged() { known = [] }

    /// Writes what came in and was not written, in whatever way it was missed.
    ///
    /// - Returns: What went wrong, if something did.
    func catchUp() async -> Failure? {
        guard name != nil else { return failure }
        await inTurn { await self.writeRest() }
        return failure
    }

    private func writeRest() async {
        do throws(NodeError) {
            while failure == nil, try await !writePage(through: nil) {}
        } catch {
            failure = Failure(error)
        }
    }

    /// Waits until the store knows how far it has come.
    func finish() async {
        while let noting { await noting.value }
    }

    // MARK: Writing

    private func inTurn(_ body: @escaping @Sendable () async -> Void) async {
        let earlier = writing
        let task = Task {
            await earlier?.value
            await body()
        }
        writing = task
        await task.value
    }

    private func writeUnkept(_ messages: [MessageInfo]) async {
        guard failure == nil else { return }
        do throws(NodeError) {
            try await pass(messages)
        } catch {
            failure = Failure(error)
        }
    }

    private func writeKept(_ messages: [MessageInfo], through last: Position) async {
        guard failure == nil, let written, written < last else { return }
        do throws(NodeError) {
            // Most of the time they are what comes next, and need not be read from the store.
            if Self.follow(messages, written) {
                try await pass(messages)
                advance(to: last)
            } else {
                _ = try await writePage(through: last)
            }
        } catch {
            failure = Failure(error)
        }
    }

    /// - Returns: Whether there is nothing more to write.
    private func writePage(through last: Position?, bytes: Int? = nil) async throws(NodeError) -> Bool {
        guard let written else { return true }
        let page = try await node.ask(GetIncoming(after: written, through: last, bytes: bytes))
        try await pass(page.messages)
        guard failure == nil else { return true }
        advance(to: page.through)
        return page.isEnd
    }

    /// Whether messages follow a position and one another directly, so that nothing else is to be written between them.
    private static func follow(_ messages: [MessageInfo], _ position: Position) -> Bool {
        var last = position
        for message in messages {
            guard message.position.place.isNext(after: last.place) else { return false }
            last = message.position
        }
        return true
    }

    private func advance(to position: Position) {
        guard failure == nil else { return }
        written = position
        note()
    }

    private func pass(_ messages: [MessageInfo]) async throws(NodeError) {
        if messages.isEmpty { return }
        let wanted = Set(messages.map(\.contact))
        if !wanted.isSubset(of: known) {
            peers = try await PeerList(node)
            known = Set(peers.peers.map(\.id))
        }
        if let error = await put(messages, peers) { failure = Failure(output: error) }
    }

    /// Has the store note how far it has come. Nobody waits for that: what is written meanwhile is noted together.
    private func note() {
        guard noting == nil, let name, noted != written else { return }
        noting = Task {
            // Also when nothing more can be written: what was written is not to come again.
            while let position = written, noted != position {
                do throws(NodeError) {
                    _ = try await node.ask(NoteWritten(name, through: position))
                    noted = position
                } catch {
                    failure = failure ?? Failure(error)
                    break
                }
            }
            noting = nil
        }
    }
}

extension MessageOutput {
    /// How messages are written to a stream: a line each, as they were sent, and to a terminal made fit to be shown; or a line
    /// of JSON each.
    static func stream(_ context: CommandContext, isJSON: Bool) -> Writing {
        let queue = BlockingQueue("kamune.output")
        return { messages, peers in
            let stream = context.output
            var bytes: [UInt8] = []
            if isJSON {
                var text = HistoryText(.jsonl, peers: peers, isMixed: true)
                for message in messages { bytes += Array(text.text(of: message).utf8) }
            } else if let screen = context.screen(for: stream) {
                for message in messages {
                    bytes += Array(screen.drawn(screen.layout.rows(of: TerminalText.lines(of: message.text))).utf8)
                }
            } else {
                bytes.reserveCapacity(messages.reduce(0) { $0 + $1.body.count + 1 })
                for message in messages {
                    bytes += message.body
                    bytes.append(UInt8(ascii: "\n"))
                }
            }
            return await queue.run { [bytes] in stream.write(bytes) }
        }
    }

    /// How messages are shown to a person.
    static func console(_ console: Console) -> Writing {
        { messages, peers in
            for message in messages {
                await console.show(
                    message: message.text, from: peers.name(of: message.contact), at: MessageTimes(message),
                    isOwn: false)
            }
            return nil
        }
    }
}
