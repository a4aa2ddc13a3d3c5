import ArgumentParser
import Kamune
import KamuneNode
import KamuneTerminal

/// `kamune peers add`
struct PeersAddCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Trust a key that came by another way, such as a letter or a web page.",
        discussion: """
            The key is given itself (base64 or the whole hex, as “kamune identity show” prints them), as a PEM file, or by \
            its fingerprint: then whoever shows that key first is this peer. Emoji, pseudonyms and parts of a fingerprint \
            will not do: others can have them too.

            EXAMPLES:
              kamune peers add Ada ada-public.pem
              kamune peers add Ada De0Dd3M8JuGRwaCwV8dWlk_SoCrf3kxV05rs40eT_V0
              kamune peers add Ada ada-public.pem --address ada.example.org:9000
            """)

    @Argument(help: "What you call them.")
    var name: String

    @Argument(help: ArgumentHelp("The key, a PEM file with it, or its fingerprint.", valueName: "key"))
    var key: String

    @Option(name: .long, help: ArgumentHelp("Where to reach them; may be said several times.", valueName: "host"))
    var address: [String] = []

    @OptionGroup var store: StoreOptions

    /// How many others of a similar name are named.
    private static let namedAtMost = 8

    func validate() throws { try NameArgument.validate(name) }

    func run(in context: CommandContext) async throws {
        let fingerprint = try FingerprintArgument.read(key)
        let addresses = address.map(AddressText.completed)
        for address in addresses { try Endpoint.checkAddress(address, isForListening: false) }
        try await store.withNode(.creating, in: context) { node in
            let answer: AddContact.Answer
            do throws(NodeError) {
                answer = try await node.ask(AddContact(name, key: fingerprint))
            } catch {
                guard error.code == .keyRefused else { throw error }
                try await Confirmation.ask("\(error.message) Accept it all the same?", isGiven: false, context)
                answer = try await node.ask(AddContact(name, key: fingerprint, overruling: true))
            }
            if let similar = answer.similar {
                let all = similar.prefix(Self.namedAtMost).map { "“\(PeerName.shown(for: $0))” (\($0.fingerprint))" }
                context.tell(
                    "You know others by a name like this: \(all.joined(separator: ", "))"
                        + (similar.count > all.count ? ", …" : "") + ". “kamune peers rename” tells them apart.",
                    .warning)
            }
            guard let contact = answer.contact else {
                guard addresses.isEmpty else { throw Failure(.addressNeedsKey) }
                return try context.output.print(
                    "Whoever shows the key of this fingerprint first will be “\(TerminalText(name))”.")
            }
            if !addresses.isEmpty { _ = try await node.ask(ChangeAddresses(of: contact.id, adding: addresses)) }
            try context.output.print("“\(PeerName.shown(for: contact))” is accepted (\(contact.fingerprint)).")
        }
    }
}

/// `kamune peers address`
struct PeersAddressCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "address",
        abstract: "Show where a peer can be reached, add addresses, or take them away.",
        discussion: """
            Addresses at which you have reached a peer are kept by themselves, and so are those that they tell you.

            EXAMPLES:
              kamune peers address Ada
              kamune peers address Ada ada.example.org udp://192.0.2.7:9000
              kamune peers address Ada --remove 192.0.2.9:9000
            """)

    @OptionGroup var argument: PeerArgument

    @Argument(help: ArgumentHelp("Where to reach them: host:port; without a port, 9000.", valueName: "host"))
    var hosts: [String] = []

    @Option(name: .long, help: ArgumentHelp("An address to take away.", valueName: "host"))
    var remove: [String] = []

    @Flag(name: .long, help: "Print JSON, a line for each address.")
    var json = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        let (add, remove) = (hosts.map(AddressText.completed), remove.map(AddressText.completed))
        for address in add { try Endpoint.checkAddress(address, isForListening: false) }
        try await store.withNode(in: context) { node in
            let peer = try (try await PeerList(node)).select(argument.peer)
            let addresses =
                add.isEmpty && remove.isEmpty
                ? try await node.ask(ListAddresses(of: peer.id)).addresses
                : try await node.ask(ChangeAddresses(of: peer.id, adding: add, removing: remove)).addresses
            if json {
                for address in addresses { try context.output.print(try JSONText.encoding(address)) }
                return
            }
            guard !addresses.isEmpty else {
                return try context.output.print("It is not known where “\(PeerName.shown(for: peer))” can be reached.")
            }
            var table = TextTable(["address", "known by", "worked", "failed"])
            for address in addresses {
                table.append([
                    TerminalText(address.address, maximumColumns: TextLimit.line).description, address.source.words,
                    address.lastWorked.map { Times.localMinute($0) } ?? "-",
                    address.lastFailed.map { Times.localMinute($0) } ?? "-",
                ])
            }
            try context.output.print(table.lines(context.style(for: context.output)).joined(separator: "\n"))
        }
    }
}

extension AddressInfo.Source {
    /// For people.
    fileprivate var words: String {
        switch self {
        case .given: "you"
        case .dialed: "dialing"
        case .told: "them"
        }
    }
}

/// A key, in whichever form it is typed.
enum FingerprintArgument {
    /// Reads a fingerprint, or the key in a PEM file.
    static func read(_ text: String) throws -> KeyFingerprint {
        if let fingerprint = KeyFingerprint(text) { return fingerprint }
        let path = FilePath(bytes: ArgumentText.decode(text))
        do throws(FileFailure) {
            return KeyFingerprint(try IdentityReport.publicKey(in: path))
        } catch .missing {
            throw Failure(.noFingerprint(TerminalText(text, maximumColumns: TextLimit.name)))
        }
    }
}
