import ArgumentParser
import Kamune
import KamuneNode
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
              kamune peers add Ada ada-public.pem --address ada.example.org
              kamune peers address Ada 192.0.2.7:9000
              kamune peers rename 2 'Bob from work'
              kamune peers verify Ada
              kamune peers block '#3'
              kamune peers expiry 30
            """,
        subcommands: [
            PeersListCommand.self, PeersShowCommand.self, PeersAddCommand.self, PeersAddressCommand.self,
            PeersRenameCommand.self, PeersVerifyCommand.self,
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
        try await store.withNode(.reading, in: context) { node in
            let list = try await PeerList(node)
            let reports = list.peers.map { PeerReport(peer: $0) }
            if json {
                for report in reports { try context.output.print(try JSONText.encoding(report.peer)) }
                return
            }
            let expected = try await node.ask(ListExpected()).expected
            if reports.isEmpty, expected.isEmpty { return try context.output.print("You know no peers yet.") }
            var table = TextTable(PeerReport.header)
            for report in reports { table.append(report.cells) }
            let style = context.style(for: context.output)
            if !reports.isEmpty { try context.output.print(table.lines(style).joined(separator: "\n")) }
            for one in expected {
                let name = TerminalText(one.name, maximumColumns: TextLimit.name)
                try context.output.print("expected: “\(name)”, whoever shows the key \(one.fingerprint) first")
            }
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
        try await store.withNode(.reading, in: context) { node in
            let peer = try (try await PeerList(node)).select(argument.peer)
            let answer = try await node.ask(GetContact(peer.id))
            if json { return try context.output.print(try JSONText.encoding(answer)) }
            let report = PeerReport(peer: answer.contact)
            try context.output.print(report.rows(messageCount: answer.messages).joined(separator: "\n"))
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
        try await store.withNode(in: context) { node in
            let peer = try (try await PeerList(node)).select(argument.peer)
            let now = try await node.ask(RenameContact(peer.id, to: name))
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
        try await store.withNode(in: context) { node in
            let peer = try (try await PeerList(node)).select(argument.peer)
            let name = PeerName.shown(for: peer)
            if undo {
                _ = try await node.ask(VerifyContact(peer.id, false, key: peer.publicKey))
                return try context.output.print("“\(name)” is not verified any more.")
            }
            try context.output.print(FingerprintCard.rows(peer.key, name: name.description).joined(separator: "\n"))
            try await Confirmation.ask("Is this what the other side sees?", isGiven: yes, context)
            do throws(NodeError) {
                _ = try await node.ask(VerifyContact(peer.id, true, key: peer.publicKey))
            } catch {
                guard error.code == .keyRefused else { throw error }
                // Saying --yes beforehand says nothing about this.
                try await Confirmation.ask("\(error.message) Accept it all the same?", isGiven: false, context)
                _ = try await node.ask(VerifyContact(peer.id, true, key: peer.publicKey, overruling: true))
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
        try await store.withNode(in: context) { node in
            let peer = try (try await PeerList(node)).select(argument.peer)
            _ = try await node.ask(BlockContact(peer.id, true))
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
        try await store.withNode(in: context) { node in
            let peer = try (try await PeerList(node)).select(argument.peer)
            _ = try await node.ask(BlockContact(peer.id, false))
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
        try await store.withNode(in: context) { node in
            let peers = try await PeerList(node)
            let expected = try await node.ask(ListExpected()).expected.filter { $0.name == argument.peer }
            if let one = expected.first, peers.named(argument.peer).isEmpty {
                _ = try await node.ask(ForgetExpected(one.fingerprint))
                return try context.output.print("Nobody is expected as “\(TerminalText(one.name))” any more.")
            }
            let peer = try peers.select(argument.peer)
            let name = PeerName.shown(for: peer)
            let count = try await node.ask(GetContact(peer.id)).messages
            try await Confirmation.ask(
                "Forget “\(name)” (\(peer.key.fingerprint.sum)) and \(Count.messages(count))?", isGiven: yes, context)
            let forgotten = try await node.ask(ForgetContact(peer.id)).messages
            try context.output.print("“\(name)” is forgotten, with \(Count.messages(forgotten)).")
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

        /// In seconds; nil for ever.
        var seconds: Int64? {
            switch self {
            case .never: nil
            case .days(let days): Int64(days) * 86_400
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
        try await store.withNode(in: context) { node in
            var terms = try await node.ask(GetTerms())
            if let term { terms.accepted = term.seconds }
            if let verified { terms.verified = verified.seconds }
            if term != nil || verified != nil { terms = try await node.ask(SetTerms(terms)) }
            try context.output.print(Self.sentence(terms.accepted, of: "whom you have accepted"))
            try context.output.print(Self.sentence(terms.verified, of: "whom you have verified"))
        }
    }

    private static func sentence(_ seconds: Int64?, of whom: String) -> String {
        switch seconds {
        case nil: "You are never asked again about a peer \(whom)."
        case let seconds?:
            "You are asked again about a peer \(whom) after \(Count.of(Int(seconds / 86_400), "day", "days")) without contact."
        }
    }
}
