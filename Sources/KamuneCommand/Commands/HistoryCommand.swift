import ArgumentParser
import Foundation
import Kamune
import KamuneNode
import KamuneSystem
import KamuneTerminal

/// `kamune history`
struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Read, search, export and delete what was said.",
        discussion: """
            Times are those of this machine's clock: when a message came in, or when you wrote it. A time is typed as \
            2026-07-25, '2026-07-25 14:05', today or yesterday; with a Z at its end it is in UTC.

            EXAMPLES:
              kamune history list
              kamune history show Ada --limit 20
              kamune history search train station --peer Ada --from 2026-07-01
              kamune history export --format markdown --output talks.md
              kamune history rename 12 'Plans for the summer'
              kamune history delete Ada --before 2026-01-01
            """,
        subcommands: [
            HistoryListCommand.self, HistoryShowCommand.self, HistorySearchCommand.self, HistoryExportCommand.self,
            HistoryRenameCommand.self, HistoryDeleteCommand.self,
        ])
}

/// Between which times.
struct PeriodOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Only what came or was written then or later.", valueName: "time"))
    var from: MomentArgument?

    @Option(name: .long, help: ArgumentHelp("Only what came or was written then or earlier.", valueName: "time"))
    var until: MomentArgument?

    /// The same by a clock.
    func resolved(at now: Date) -> Period {
        Period(from: from?.span(at: now)?.start, until: until?.span(at: now)?.end)
    }
}

/// A time from one point to before another.
struct Period: Sendable {
    let from: Date?
    let until: Date?

    func contains(_ date: Date) -> Bool {
        (from.map { date >= $0 } ?? true) && (until.map { date < $0 } ?? true)
    }
}

/// The conversations in the order in which they were had, which is how they are numbered.
struct SessionList {
    let sessions: [SessionInfo]

    init(_ node: some NodeAccess) async throws(NodeError) {
        var pages: [[SessionInfo]] = []
        var before: Int?
        repeat {
            let page = try await node.ask(ListSessions(before: before)).sessions
            pages.append(page)
            before = page.first?.number
        } while before.map { $0 > 1 } ?? false
        sessions = pages.reversed().flatMap { $0 }
    }

    /// The conversation of a number.
    func select(_ number: Int) throws(Failure) -> SessionInfo {
        guard sessions.indices.contains(number - 1) else {
            throw Failure(.noSuchConversation(number))
        }
        return sessions[number - 1]
    }
}

/// `kamune history list`
struct HistoryListCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List your conversations, the latest last.")

    @Option(name: .long, help: "Only those with this peer.")
    var peer: String?

    @Option(name: .long, help: ArgumentHelp("At most so many, the latest.", valueName: "count"))
    var limit: Int?

    @Flag(name: .long, help: "Print JSON, a line for each conversation.")
    var json = false

    @OptionGroup var store: StoreOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1.") }
    }

    func run(in context: CommandContext) async throws {
        try await store.withNode(.reading, in: context) { node in
            let peers = try await PeerList(node)
            let wanted = try peer.map { text throws(Failure) in try peers.select(text).id }
            let all = try await SessionList(node).sessions.filter { session in
                wanted.map { session.contact == $0 } ?? true
            }
            let sessions = all.suffix(limit ?? all.count)
            if json {
                for session in sessions { try context.output.print(try JSONText.encoding(session)) }
                return
            }
            guard !sessions.isEmpty else { return try context.output.print("There were no conversations yet.") }
            var table = TextTable(["#", "begun", "ended", "peer", "by", "name"])
            for session in sessions {
                table.append([
                    "\(session.number)", Times.localMinute(session.begun),
                    session.ended.map { Times.localMinute($0) } ?? "-", peers.name(of: session.contact).description,
                    TerminalText(session.transport, maximumColumns: TextLimit.word).description,
                    session.name.map { TerminalText($0, maximumColumns: TextLimit.name).description } ?? "",
                ])
            }
            let style = context.style(for: context.output)
            try context.output.print(table.lines(style).joined(separator: "\n"))
        }
    }
}

/// `kamune history rename`
struct HistoryRenameCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename", abstract: "Give a conversation a name.")

    @Argument(help: ArgumentHelp("The conversation's number in “kamune history list”.", valueName: "number"))
    var number: Int

    @Argument(help: "The name; leave it out to take it away.")
    var name: String?

    @OptionGroup var store: StoreOptions

    func validate() throws {
        if let name { try NameArgument.validate(name) }
    }

    func run(in context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            let session = try (try await SessionList(node)).select(number)
            _ = try await node.ask(RenameSession(session.id, to: name))
            try context.output.print(
                name.map { "Conversation \(number) is called “\(TerminalText($0))” now." }
                    ?? "Conversation \(number) has no name now.")
        }
    }
}

/// `kamune history delete`
struct HistoryDeleteCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete what was said with a peer, in one conversation, or altogether.",
        discussion: """
            Nothing of it is left in the file. Backups that were made before have it still, and so has the other side. The \
            peers stay known.
            """)

    @Argument(help: "The peer.")
    var peer: String?

    @Option(name: .long, help: ArgumentHelp("Delete only this conversation.", valueName: "number"))
    var session: Int?

    @Option(name: .long, help: ArgumentHelp("Delete only what is older.", valueName: "time"))
    var before: MomentArgument?

    @Flag(name: .long, help: "Delete what was said with everybody.")
    var all = false

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard [peer != nil, session != nil, all].filter({ $0 }).count == 1 else {
            throw ValidationError("Name a peer, a --session, or say --all.")
        }
        guard before == nil || session == nil else {
            throw ValidationError("--before and --session exclude each other.")
        }
    }

    func run(in context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            let peers = try await PeerList(node)
            if let session {
                let found = try (try await SessionList(node)).select(session)
                let name = peers.name(of: found.contact)
                try await Confirmation.ask(
                    "Delete conversation \(session) with “\(name)” of \(Times.localMinute(found.begun))?",
                    isGiven: yes, context)
                _ = try await node.ask(DeleteSession(found.id))
                return try context.output.print("Conversation \(session) is deleted; those after it have moved up.")
            }
            let wanted = try peer.map { text throws(Failure) in [try peers.select(text)] } ?? peers.peers
            let subject = peer == nil ? "everybody" : "“\(wanted.map { PeerName.shown(for: $0).description }.joined())”"
            let limit = before?.span(at: context.time.date)?.start
            let period = limit.map { " before \(Times.localMinute($0))" } ?? ""
            try await Confirmation.ask("Delete what was said with \(subject)\(period)?", isGiven: yes, context)
            var count = 0
            for peer in wanted {
                count += try await node.ask(DeleteMessages(with: peer.id, before: limit)).messages
            }
            try context.output.print("\(Count.messages(count)) deleted.")
        }
    }
}
