import ArgumentParser
import Kamune
import KamuneNode
import KamuneSystem
import KamuneTerminal

extension HistoryText.Format: ExpressibleByArgument {}

/// `kamune history show`
struct HistoryShowCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what was said, the latest last.",
        discussion: "With one peer or, without any, with everybody.")

    @Argument(help: "The peer.")
    var peer: String?

    @Option(name: .long, help: ArgumentHelp("Only this conversation.", valueName: "number"))
    var session: Int?

    @OptionGroup var period: PeriodOptions

    @Option(name: .long, help: ArgumentHelp("At most so many messages, the latest.", valueName: "count"))
    var limit = 100

    @Flag(name: .long, help: "Print JSON, a line for each message.")
    var json = false

    @OptionGroup var store: StoreOptions

    /// More than these are for an export, which holds none of them in memory.
    private static let largestLimit = 100_000

    func validate() throws {
        guard (1...Self.largestLimit).contains(limit) else {
            throw ValidationError("--limit takes a number from 1 to \(Self.largestLimit).")
        }
    }

    func run(in context: CommandContext) async throws {
        try await store.withNode(.reading, in: context) { node in
            let peers = try await PeerList(node)
            var wanted = try peer.map { text throws(Failure) in try peers.select(text).id }
            var only: String?
            if let session {
                let found = try (try await SessionList(node)).select(session)
                guard wanted.map({ $0 == found.contact }) ?? true else {
                    throw Failure(.conversationWithAnother(session, peer: peers.name(of: found.contact)))
                }
                (wanted, only) = (found.contact, found.id)
            }
            let period = period.resolved(at: context.time.date)
            var messages: [MessageInfo] = []
            try await node.eachMessage(
                GetMessages(
                    with: wanted, session: only, from: period.from, until: period.until,
                    limit: min(limit, NodePages.largest))
            ) { message in
                messages.append(message)
                return messages.count < limit
            }
            if messages.isEmpty, !json { return try context.output.print("Nothing was said.") }
            var text = HistoryText(
                json ? .jsonl : .text, peers: peers, isMixed: wanted == nil,
                style: context.style(for: context.output), screen: context.screen(for: context.output))
            for message in messages.reversed() { try context.output.put(text.text(of: message)) }
        }
    }
}

/// `kamune history search`
struct HistorySearchCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Find messages by words, the latest first.",
        discussion: """
            A message is found when it holds every word, in whatever order, in upper or lower case; parts of words count, \
            unless --whole-words is said. What is found is printed at once.
            """)

    @Argument(help: "The words.")
    var words: [String]

    @Option(name: .long, help: "Only what was said with this peer.")
    var peer: String?

    @OptionGroup var period: PeriodOptions

    @Flag(name: .long, help: "Do not find “cat” in “concatenate”.")
    var wholeWords = false

    @Option(name: .long, help: ArgumentHelp("At most so many messages.", valueName: "count"))
    var limit: Int?

    @Flag(name: .long, help: "Print JSON, a line for each message.")
    var json = false

    @OptionGroup var store: StoreOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1.") }
        guard words.contains(where: { !$0.allSatisfy(\.isWhitespace) }) else {
            throw ValidationError("Name at least one word to search for.")
        }
    }

    func run(in context: CommandContext) async throws {
        try await store.withNode(.reading, in: context) { node in
            let peers = try await PeerList(node)
            let wanted = try peer.map { text throws(Failure) in try peers.select(text).id }
            let period = period.resolved(at: context.time.date)
            let request = GetMessages(
                with: wanted, words: words.joined(separator: " "), wholeWords: wholeWords, from: period.from,
                until: period.until, limit: min(limit ?? NodePages.search, NodePages.search))
            var text = HistoryText(
                json ? .jsonl : .text, peers: peers, isMixed: wanted == nil,
                style: context.style(for: context.output), screen: context.screen(for: context.output))
            var count = 0
            try await node.eachMessage(request) { message in
                try context.output.put(text.text(of: message))
                count += 1
                return count != limit
            }
            if count == 0, !json { try context.output.print("Nothing was found.") }
        }
    }
}

/// `kamune history export`
struct HistoryExportCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write what was said as text, Markdown or JSON Lines.",
        discussion: """
            Everything, or what was said with one peer, the oldest first. The file can be read by you alone, but it is not \
            encrypted; “kamune backup” makes one that is.
            """)

    @Argument(help: "The peer.")
    var peer: String?

    @OptionGroup var period: PeriodOptions

    @Option(name: .long, help: "How to write it: text, markdown or jsonl.")
    var format: HistoryText.Format = .text

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
    var output: FilePath?

    @Flag(name: .long, help: "Replace the output file if there is one.")
    var force = false

    @OptionGroup var store: StoreOptions

    /// Text is written when so many bytes of it have come together.
    private static let chunkSize = 64 * 1_024

    func run(in context: CommandContext) async throws {
        try await store.withNode(.reading, in: context) { node in
            let peers = try await PeerList(node)
            let wanted = try peer.map { text throws(Failure) in try peers.select(text) }
            let existing = try self.store.existing(force: force, context)
            let file = try output.map { path throws(FileFailure) in
                try PrivateFileWriter(path, existing: existing, what: "it")
            }
            let period = period.resolved(at: context.time.date)
            var text = HistoryText(format, peers: peers, isMixed: wanted == nil)
            let subject = wanted.map { "Conversations with \(PeerName.shown(for: $0))" } ?? "Conversations"
            var chunk = Array(text.head(of: subject, at: context.time.date).utf8)
            try await node.eachMessage(forwardWith: wanted?.id) { message in
                guard period.contains(message.localTime) else { return }
                chunk += text.text(of: message).utf8
                if chunk.count >= Self.chunkSize {
                    try Self.write(chunk, to: file, context.output)
                    chunk.removeAll(keepingCapacity: true)
                }
            }
            try Self.write(chunk, to: file, context.output)
            try file?.finish()
        }
    }

    private static func write(_ chunk: [UInt8], to file: PrivateFileWriter?, _ output: StandardStream) throws {
        if let file {
            try chunk.withUnsafeBytes { try file.write($0) }
        } else {
            try output.put(chunk)
        }
    }
}
