import ArgumentParser
import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// `kamune identity`
struct IdentityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Make, show and move identities.",
        discussion: """
            An identity is a private key that only you have. Others know you by its public key, and compare its fingerprint. \
            It is kept, encrypted, with everything else; one is made when you listen or dial for the first time. With \
            --identity the commands act on a file instead, in PEM as OpenSSL and others read it: PKCS #8 for the private \
            key, SubjectPublicKeyInfo for the public one.

            EXAMPLES:
              kamune identity show
              kamune identity new --algorithm ml-dsa-65 --identity pq.pem
              kamune identity export --public --output me.pub.pem
              kamune identity import old.pem --force
              kamune identity show friend.pub.pem
              kamune identity name Ada
              kamune identity rotate --algorithm ml-dsa-65
            """,
        subcommands: [
            IdentityNewCommand.self, IdentityShowCommand.self, IdentityNameCommand.self, IdentityExportCommand.self,
            IdentityImportCommand.self, IdentityRotateCommand.self, IdentityEraseOldCommand.self,
        ])
}

/// Where the identity is: in the store, or in a file.
struct IdentityPlaceOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "A file that holds the identity.",
            discussion: "Without it, the identity that is kept with everything else.",
            valueName: "file"),
        completion: .file())
    var identity: FilePath?

    @OptionGroup var store: StoreOptions

    /// The file that was named.
    var file: IdentityFile? { identity.map { IdentityFile(path: $0) } }
}

/// `kamune identity new`
struct IdentityNewCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a new identity.",
        discussion: """
            Ed25519 is understood by every kamune. ML-DSA-65 resists a quantum computer even at the time of the handshake, \
            and programs of version 0.7 cannot read it. Whoever knows you by another identity will be warned; “kamune \
            identity rotate” makes one that they are told of.
            """)

    @Option(name: .long, help: "The algorithm: ed25519 or ml-dsa-65.")
    var algorithm: IdentityAlgorithm = .ed25519

    @Flag(name: .long, help: "Even if there is one: in a file it is lost then, else it is retired.")
    var force = false

    @OptionGroup var place: IdentityPlaceOptions

    func run(in context: CommandContext) async throws {
        if let file = place.file {
            let identity = try IdentityFile.generate(algorithm, path: file.path)
            try file.save(identity, try place.store.existing(force: force, context))
            return try IdentityReport.print(to: context.output, identity.publicKey, path: file.path)
        }
        try await place.store.withNode(.creating, in: context) { node in
            let identity = try await IdentityReport.adopting {
                try await StoreOpener(place.store, context).authorized(node) {
                    try await node.ask(CreateIdentity(algorithm, replaces: force, passphrase: $0))
                }
            }
            try IdentityReport.print(to: context.output, identity.publicKey.key, path: nil)
        }
    }
}

/// `kamune identity show`
struct IdentityShowCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show the fingerprint of an identity.",
        discussion: """
            Shows your own identity, or that of any PEM file, private or public. The fingerprint in each of its forms is \
            what two people compare; the public key is what they may exchange beforehand.
            """)

    @Argument(
        help: ArgumentHelp("A PEM file to show instead of your identity.", valueName: "file"), completion: .file())
    var other: FilePath?

    @OptionGroup var place: IdentityPlaceOptions

    func run(in context: CommandContext) async throws {
        if let other {
            return try IdentityReport.print(to: context.output, try IdentityReport.publicKey(in: other), path: other)
        }
        if let file = place.file {
            return try IdentityReport.print(
                to: context.output, try IdentityReport.load(file).publicKey, path: file.path)
        }
        try await place.store.withNode(.reading, in: context) { node in
            let all = try await node.ask(ListIdentities()).identities
            guard let current = all.first(where: \.isCurrent) else { throw IdentityReport.none }
            let name = current.name.isEmpty ? nil : TerminalText(current.name).description
            try IdentityReport.print(to: context.output, current.publicKey.key, path: nil, name: name)
            let retired = all.filter { !$0.isCurrent }
            if retired.isEmpty { return }
            try context.output.print("Earlier identities:")
            for identity in retired {
                try context.output.print(IdentityReport.line(identity))
            }
        }
    }
}

/// `kamune identity name`
struct IdentityNameCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "name",
        abstract: "Show or set what others are told to call you.",
        discussion: "“listen” and “dial” use it unless --name says otherwise.")

    @Argument(help: "The name.")
    var name: String?

    @Flag(name: .long, help: "Have no name: others see your fingerprint.")
    var none = false

    @OptionGroup var store: StoreOptions

    func validate() throws {
        if let name { try NameArgument.validate(name) }
        guard name == nil || !none else { throw ValidationError("A name and --none exclude each other.") }
    }

    func run(in context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            guard let current = try await node.ask(ListIdentities()).identities.first(where: \.isCurrent) else {
                throw IdentityReport.none
            }
            let new = none ? "" : name
            let now = if let new { try await node.ask(NameIdentity(new)).name } else { current.name }
            try context.output.print(
                now.isEmpty
                    ? "You have no name; others see your fingerprint." : "You are called “\(TerminalText(now))”."
            )
        }
    }
}

/// `kamune identity export`
struct IdentityExportCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write an identity, or its public key, in PEM.",
        discussion: """
            Writes to standard output, or to a file that only you can read. The private key lets whoever has it pretend to \
            be you: give others the public one.
            """)

    @Flag(name: .customLong("public"), help: "Write the public key, which anybody may have.")
    var isPublic = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
    var output: FilePath?

    @Flag(name: .long, help: "Replace the output file if there is one.")
    var force = false

    @OptionGroup var place: IdentityPlaceOptions

    func run(in context: CommandContext) async throws {
        if let file = place.file { return try write(try IdentityReport.load(file), context) }
        try await place.store.withNode(.reading, in: context) { node in
            if isPublic {
                let all = try await node.ask(ListIdentities()).identities
                guard let current = all.first(where: \.isCurrent) else { throw IdentityReport.none }
                return try write(SecretBytes(copying: Array(current.publicKey.key.pem.utf8)), context)
            }
            let pem: SecretText
            do {
                pem = try await StoreOpener(place.store, context).authorized(node) {
                    try await node.ask(ExportIdentity(passphrase: $0)).pem
                }
            } catch let error as NodeError where error.code == .noIdentity {
                throw IdentityReport.none
            }
            try write(pem.copy(), context)
        }
    }

    private func write(_ identity: Identity, _ context: CommandContext) throws {
        let pem = isPublic ? SecretBytes(copying: Array(identity.publicKey.pem.utf8)) : identity.pemBytes()
        try write(pem, context)
    }

    private func write(_ pem: borrowing SecretBytes, _ context: CommandContext) throws {
        let existing = try place.store.existing(force: force, context)
        try pem.withUnsafeBytes { pem in
            if let output {
                try PrivateFile.write(pem, to: output, existing: existing, what: "it")
            } else {
                try context.output.put(pem)
            }
        }
    }
}

/// `kamune identity import`
struct IdentityImportCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make an identity of a private key in PEM.",
        discussion: """
            Takes a private key of Ed25519 or ML-DSA-65 in PKCS #8, without a passphrase, as “openssl genpkey” writes it. The \
            file that is read stays as it is; remove it if nobody else shall have the key.
            """)

    @Argument(help: ArgumentHelp("The file to read; - for standard input.", valueName: "file"), completion: .file())
    var source: FilePath

    @Flag(name: .long, help: "Even if there is one: in a file it is lost then, else it is retired.")
    var force = false

    @OptionGroup var place: IdentityPlaceOptions

    func run(in context: CommandContext) async throws {
        let identity: Identity
        if source == "-" {
            let name: FilePath = "standard input"
            let pem = try PrivateFile.readToEnd(context.input, path: name, limit: IdentityFile.sizeLimit)
            identity = try IdentityFile.parse(pem, path: name)
        } else {
            identity = try IdentityFile(path: source).load(secret: false)
        }
        if let file = place.file {
            try file.save(identity, try place.store.existing(force: force, context))
            return try IdentityReport.print(to: context.output, identity.publicKey, path: file.path)
        }
        try await place.store.withNode(.creating, in: context) { node in
            let identity = try await IdentityReport.adopting {
                try await StoreOpener(place.store, context).authorized(node) {
                    try await node.ask(ImportIdentity(identity, replaces: force, passphrase: $0))
                }
            }
            try IdentityReport.print(to: context.output, identity.publicKey.key, path: nil)
        }
    }
}
