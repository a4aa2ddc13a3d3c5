import ArgumentParser
import Kamune
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// `kamune peers`
struct PeersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "List the peers whom you know, and decide about them.",
        discussion: """
            A peer is named by name, by number in the list, by #number if a name looks like a number, or by how the \
            fingerprint begins, at least four characters of it, after -- if the first is a dash. What fits more than one \
            peer is refused.

            EXAMPLES:
              kamune peers list
              kamune peers show Ada
              kamune peers rename 2 'Bob from work'
              kamune peers verify Ada
              kamune peers block '#3'
              kamune peers expiry 30
            """,
        subcommands: [
            PeersListCommand.self, PeersShowCommand.self, PeersRenameCommand.self, PeersVerifyCommand.self,
            PeersBlockCommand.self, PeersUnblockCommand.self, PeersForgetCommand.self, PeersExpiryCommand.self,
        ],
        defaultSubcommand: PeersListCommand.self)
}

/// `kamune peers list`
struct PeersListCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the peers whom you know, in the order in which you met them.")

    @Flag(name: .long, help: "Print JSON, a line for each peer.")
    var json = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withStore(.reading, in: context) { store in
            let list = try await PeerList(store)
            let terms = try await store.peerTerms()
            let reports = list.peers.enumerated().map {
                PeerReport(peer: $0.element, number: $0.offset + 1, terms: terms, now: context.time.date)
            }
            if json {
                for report in reports { try context.output.print(report.json().description) }
                return
            }
            guard !reports.isEmpty else { return try context.output.print("You know no peers yet.") }
            var table = TextTable(PeerReport.header)
            for report in reports { table.append(report.cells) }
            let style = context.style(for: context.output)
            try context.output.print(table.lines(style).joined(separator: "\n"))
        }
    }
}

/// `kamune peers show`
struct PeersShowCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show all that is known of a peer, with every form of the fingerprint.")

    @OptionGroup var argument: PeerArgument

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withStore(.reading, in: context) { store in
            let list = try await PeerList(store)
            let peer = try list.select(argument.peer)
            let report = PeerReport(
                peer: peer, number: list.number(of: peer.id) ?? 0, terms: try await store.peerTerms(),
                now: context.time.date)
            let count = try await store.messageCount(with: peer.id)
            let text =
                json
                ? report.json(messageCount: count).description
                : report.rows(messageCount: count).joined(separator: "\n")
            try context.output.print(text)
        }
    }
}

/// `kamune peers rename`
struct PeersRenameCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        abstract: "Give a peer a name of your own.",
        discussion: "The name is for you alone. Without one, the peer is called again what it calls itself.")

    @OptionGroup var argument: PeerArgument

    @Argument(help: "The name; leave it out to take yours away.")
    var name: String?

    @OptionGroup var store: StoreOptions

    func validate() throws {
        if let name { try NameArgument.validate(name) }
    }

    func run(in context: CommandContext) async throws {
        try await store.withStore(in: context) { store in
            let peer = try (try await PeerList(store)).select(argument.peer)
            try await store.rename(peer.id, to: name)
            let now = try await store.peer(peer.id) ?? peer
            try context.output.print("This peer is called “\(PeerName.shown(for: now))” now.")
        }
    }
}

/// Names that a person types.
enum NameArgument {
    /// Refuses what cannot be seen, and what would be cut where it is shown.
    static func validate(_ name: String) throws {
        let shown = TerminalText(name)
        guard ArgumentText.isText(name) else { throw ValidationError("The name must be in UTF-8.") }
        guard !shown.isBlank else { throw ValidationError("The name must be one that can be seen.") }
        guard shown.columns <= TextLimit.name else {
            throw ValidationError("The name may take \(TextLimit.name) columns of a terminal at most.")
        }
    }
}

/// `kamune peers verify`
struct PeersVerifyCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Note that you have compared a peer's fingerprint.",
        discussion: """
            Shows the fingerprint and asks whether it is what the other side sees by “kamune identity show”. Compare over a \
            channel that you trust, such as a phone call. Then the peer is verified, and accepted anew.
            """)

    @OptionGroup var argument: PeerArgument

    @Flag(name: .long, help: "You have compared it already: do not ask.")
    var yes = false

    @Flag(name: .long, help: "Take it back: the peer is not verified any more.")
    var undo = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withStore(in: context) { store in
            let peer = try (try await PeerList(store)).select(argument.peer)
            let name = PeerName.shown(for: peer)
            if undo {
                try await store.setVerified(peer.id, at: nil)
                return try context.output.print("“\(name)” is not verified any more.")
            }
            try context.output.print(FingerprintCard.rows(peer.key, name: name.description).joined(separator: "\n"))
            try await Confirmation.ask("Is this what the other side sees?", isGiven: yes, context)
            do {
                try await store.setVerified(peer.id, at: context.time.date)
            } catch StoreError.refused(let refusal) {
                // Saying --yes beforehand says nothing about this.
                try await Confirmation.ask("\(refusal) Accept it all the same?", isGiven: false, context)
                try await store.setVerified(peer.id, at: context.time.date, overruling: true)
            }
            try context.output.print("“\(name)” is verified.")
        }
    }
}

/// `kamune peers block`
struct PeersBlockCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "block", abstract: "Refuse a peer from now on, whatever --verify says.")

    @OptionGroup var argument: PeerArgument
    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withStore(in: context) { store in
            let peer = try (try await PeerList(store)).select(argument.peer)
            try await store.setBlocked(peer.id, true)
            try context.output.print("“\(PeerName.shown(for: peer))” is blocked.")
        }
    }
}

/// `kamune peers unblock`
struct PeersUnblockCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "unblock", abstract: "Let a peer in again who was blocked.")

    @OptionGroup var argument: PeerArgument
    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withStore(in: context) { store in
            let peer = try (try await PeerList(store)).select(argument.peer)
            try await store.setBlocked(peer.id, false)
            try context.output.print("“\(PeerName.shown(for: peer))” is not blocked.")
        }
    }
}

/// `kamune peers forget`
struct PeersForgetCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forget a peer, and everything that was said with them.",
        discussion: "Nothing of it is left in the file. Backups that were made before have it still.")

    @OptionGroup var argument: PeerArgument

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withStore(in: context) { store in
            let peer = try (try await PeerList(store)).select(argument.peer)
            let name = PeerName.shown(for: peer)
            let count = try await store.messageCount(with: peer.id)
            try await Confirmation.ask(
                "Forget “\(name)” (\(peer.key.fingerprint.sum)) and \(Count.messages(count))?", isGiven: yes, context)
            try await store.forget(peer.id)
            try context.output.print("“\(name)” is forgotten, with \(Count.messages(count)).")
        }
    }
}

/// `kamune peers expiry`
struct PeersExpiryCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "expiry",
        abstract: "Show or set after how many days without contact you are asked about a peer again.",
        discussion: """
            Thirty unless you set it, and never for peers whom you have verified. It counts from when you accepted the peer, \
            or were connected with it last.

            EXAMPLES:
              kamune peers expiry
              kamune peers expiry 90
              kamune peers expiry never
              kamune peers expiry --verified 365
            """)

    /// What may be said.
    enum Term: ExpressibleByArgument, Equatable {
        case never
        case days(Int)

        var expiry: PeerExpiry {
            switch self {
            case .never: .never
            case .days(let days): .days(days)
            }
        }

        /// A hundred years: more is never.
        static let longest = 36_500

        init?(argument: String) {
            if argument.lowercased() == "never" {
                self = .never
            } else if let days = Int(argument), (1...Self.longest).contains(days) {
                self = .days(days)
            } else {
                return nil
            }
        }
    }

    @Argument(help: ArgumentHelp("How many days, or never.", valueName: "days"))
    var term: Term?

    @Option(
        name: .long, help: ArgumentHelp("How many days for peers whom you have verified, or never.", valueName: "days"))
    var verified: Term?

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withStore(in: context) { store in
            var terms = try await store.peerTerms()
            if let term { terms.accepted = term.expiry }
            if let verified { terms.verified = verified.expiry }
            if term != nil || verified != nil { try await store.setPeerTerms(terms) }
            try context.output.print(Self.sentence(terms.accepted, of: "whom you have accepted"))
            try context.output.print(Self.sentence(terms.verified, of: "whom you have verified"))
        }
    }

    private static func sentence(_ expiry: PeerExpiry, of whom: String) -> String {
        switch expiry {
        case .never: "You are never asked again about a peer \(whom)."
        case .after(let seconds):
            "You are asked again about a peer \(whom) after \(Count.of(Int(seconds / 86_400), "day", "days")) without contact."
        }
    }
}
