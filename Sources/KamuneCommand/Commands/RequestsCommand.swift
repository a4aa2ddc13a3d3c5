import ArgumentParser
import Kamune
import KamuneNode
import KamuneTerminal

/// `kamune requests`
struct RequestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests",
        abstract: "List strangers who want to talk with you, and decide about them.",
        discussion: """
            Who came while nobody was there to be asked waits here. “unproven” says that it need not have been the owner of this \
            key: anybody who was once introduced to them can show what was shown. Compare the fingerprint over a channel \
            that you trust.

            EXAMPLES:
              kamune requests
              kamune requests accept 1 --name Ada
              kamune requests refuse 2
              kamune requests block z-oSO5K6Smar --yes
            """,
        subcommands: [
            RequestsListCommand.self, RequestsAcceptCommand.self, RequestsRefuseCommand.self,
            RequestsBlockCommand.self,
        ],
        defaultSubcommand: RequestsListCommand.self)
}

/// `kamune requests list`
struct RequestsListCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the strangers who want to talk with you.")

    @Flag(name: .long, help: "Print JSON, a line for each request.")
    var json = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withNode(.reading, in: context) { node in
            let requests = try await node.ask(ListRequests()).requests
            if json {
                for request in requests { try context.output.print(try JSONText.encoding(request)) }
                return
            }
            guard !requests.isEmpty else { return try context.output.print("Nobody waits to be accepted.") }
            for request in requests { try context.output.print(Self.rows(request).joined(separator: "\n")) }
        }
    }

    private static func rows(_ request: RequestInfo) -> [String] {
        let proof = request.isProven ? "" : ", unproven"
        let place = request.network.isEmpty ? "this machine" : request.network
        var rows = [
            "\(request.number)  came \(Times.localMinute(request.lastSeen)) from "
                + "\(TerminalText(place, maximumColumns: TextLimit.word))\(proof)"
        ]
        let name = TerminalText(request.name, maximumColumns: TextLimit.name).description
        rows += FingerprintCard.rows(request.publicKey.key, name: name)
        if !request.note.isEmpty {
            rows += FingerprintCard.row(
                "says", TerminalText.lines(of: request.note).map { "“\($0)”" })
        }
        return rows
    }
}

/// The argument that names a request.
struct RequestArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The request: its number in “kamune requests”, or how its fingerprint begins, which --yes wants.",
            valueName: "request"))
    var text: String

    /// How many characters of a fingerprint it takes at least.
    private static let shortestPrefix = 8

    /// The request that is meant.
    ///
    /// - Parameter isUnseen: Whether the person does not look at it first: then a number will not do, since numbers change
    ///   when somebody else comes.
    func find(_ node: any NodeAccess, isUnseen: Bool) async throws -> RequestInfo {
        let requests = try await node.ask(ListRequests()).requests
        if let number = Int(text) {
            guard !isUnseen else { throw Failure(.requestNeedsFingerprint) }
            guard let request = requests.first(where: { $0.number == number }) else {
                throw Failure(.noSuchRequest(TerminalText(text)))
            }
            return request
        }
        let found = requests.filter { text.count >= Self.shortestPrefix && $0.fingerprint.hasPrefix(text) }
        guard found.count == 1, let request = found.first else {
            throw Failure(.noSuchRequest(TerminalText(text, maximumColumns: TextLimit.name)))
        }
        return request
    }

    /// Shows the request, and asks about it.
    func confirm(
        _ question: String, _ node: any NodeAccess, yes: Bool, _ context: CommandContext
    ) async throws -> RequestInfo {
        let request = try await find(node, isUnseen: yes)
        let shown = TerminalText(request.name, maximumColumns: TextLimit.name)
        try context.output.print(
            FingerprintCard.rows(request.publicKey.key, name: shown.description).joined(separator: "\n"))
        try await Confirmation.ask(question, isGiven: yes, context)
        return request
    }
}

/// `kamune requests accept`
struct RequestsAcceptCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept", abstract: "Accept somebody: they are a peer of yours from now on.")

    @OptionGroup var argument: RequestArgument

    @Option(name: .long, help: "What you call them.")
    var name: String?

    @Flag(name: .long, help: "You have compared the fingerprint already: do not ask.")
    var yes = false

    @OptionGroup var store: StoreOptions

    func validate() throws {
        if let name { try NameArgument.validate(name) }
    }

    func run(in context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            let request = try await argument.confirm("Is this who you think it is?", node, yes: yes, context)
            let contact: ContactInfo?
            do throws(NodeError) {
                contact = try await node.ask(DecideRequest(request.id, .accept, named: name)).contact
            } catch {
                guard error.code == .keyRefused else { throw error }
                // Saying --yes beforehand says nothing about this.
                try await Confirmation.ask("\(error.message) Accept it all the same?", isGiven: false, context)
                contact = try await node.ask(
                    DecideRequest(request.id, .accept, named: name, overruling: true)
                ).contact
            }
            if let contact { try context.output.print("“\(PeerName.shown(for: contact))” is accepted.") }
        }
    }
}

/// What is the same in turning a request down for now and for good.
struct RequestRefusal: ParsableArguments {
    @OptionGroup var argument: RequestArgument

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @OptionGroup var store: StoreOptions

    /// Decides.
    ///
    /// - Parameter done: What they are then.
    func decide(
        _ decision: DecideRequest.Decision, _ question: String, done: String, in context: CommandContext
    ) async throws {
        try await store.withNode(in: context) { node in
            let request = try await argument.confirm(question, node, yes: yes, context)
            _ = try await node.ask(DecideRequest(request.id, decision))
            try context.output.print("“\(TerminalText(request.name, maximumColumns: TextLimit.name))” is \(done).")
        }
    }
}

/// `kamune requests refuse`
struct RequestsRefuseCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "refuse", abstract: "Refuse somebody, who may ask again later.")

    @OptionGroup var refusal: RequestRefusal

    func run(in context: CommandContext) async throws {
        try await refusal.decide(.refuse, "Refuse them?", done: "refused", in: context)
    }
}

/// `kamune requests block`
struct RequestsBlockCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "block", abstract: "Refuse somebody for good.")

    @OptionGroup var refusal: RequestRefusal

    func run(in context: CommandContext) async throws {
        try await refusal.decide(.block, "Refuse them for good?", done: "blocked", in: context)
    }
}
