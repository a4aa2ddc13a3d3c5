import ArgumentParser
import Kamune

/// `kamune identity`
struct IdentityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Make, show and move identities.",
        discussion: """
            An identity is a private key that only you have. Others know you by its public key, and compare its fingerprint. \
            It lies in a file that only you can read, in PEM as OpenSSL and others read it: PKCS #8 for the private key, \
            SubjectPublicKeyInfo for the public one. Without --identity it is the file identity.pem in your data directory: \
            $XDG_DATA_HOME/kamune, else ~/.local/share/kamune, on macOS ~/Library/Application Support/kamune. One is made \
            when you listen or dial for the first time.

            EXAMPLES:
              kamune identity show
              kamune identity new --algorithm ml-dsa-65 --identity pq.pem
              kamune identity export --public --output me.pub.pem
              kamune identity import old.pem --force
              kamune identity show friend.pub.pem
            """,
        subcommands: [
            IdentityNewCommand.self, IdentityShowCommand.self, IdentityExportCommand.self, IdentityImportCommand.self,
        ])
}

/// Which file the identity is in.
struct IdentityFileOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The file that holds the identity.", discussion: "Without it, the one in your data directory.",
            valueName: "file"),
        completion: .file())
    var identity: String?

    func file() throws(FileFailure) -> IdentityFile {
        try IdentityFile(path: identity, Environment.current)
    }
}

/// `kamune identity new`
struct IdentityNewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a new identity.",
        discussion: """
            Ed25519 is understood by every kamune. ML-DSA-65 resists a quantum computer even at the time of the handshake, \
            and programs of version 0.7 cannot read it. Whoever knows you by another identity will be warned.
            """)

    @Option(name: .long, help: "The algorithm: ed25519 or ml-dsa-65.")
    var algorithm: IdentityAlgorithm = .ed25519

    @OptionGroup var options: IdentityFileOptions

    @Flag(name: .long, help: "Replace the identity that is there. It is lost then.")
    var force = false

    func run() throws {
        let file = try options.file()
        let identity = try IdentityFile.generate(algorithm, path: file.path)
        try file.save(identity, force: force)
        try IdentityReport.print(identity.publicKey, path: file.path)
    }
}

/// `kamune identity show`
struct IdentityShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show the fingerprint of an identity.",
        discussion: """
            Shows your own identity, or that of any PEM file, private or public. The fingerprint in each of its forms is \
            what two people compare; the public key is what they may exchange beforehand.
            """)

    @Argument(
        help: ArgumentHelp("A PEM file to show instead of your identity.", valueName: "file"), completion: .file())
    var other: String?

    @OptionGroup var options: IdentityFileOptions

    func run() throws {
        if let other {
            try IdentityReport.print(try IdentityReport.publicKey(in: other), path: other)
        } else {
            let file = try options.file()
            try IdentityReport.print(try IdentityReport.load(file).publicKey, path: file.path)
        }
    }
}

/// `kamune identity export`
struct IdentityExportCommand: ParsableCommand {
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
    var output: String?

    @OptionGroup var options: IdentityFileOptions

    @Flag(name: .long, help: "Replace the output file if there is one.")
    var force = false

    func run() throws {
        let identity = try IdentityReport.load(try options.file())
        let pem = isPublic ? SecretBytes(copying: Array(identity.publicKey.pem.utf8)) : identity.pemBytes()
        try pem.withUnsafeBytes { pem in
            if let output {
                try PrivateFile.write(pem, to: output, existing: force ? .replace : .refuse, what: "it")
            } else if let error = StandardStream(STDOUT_FILENO).write(pem) {
                throw Failure(.failure, "The output cannot be written: \(error).")
            }
        }
    }
}

/// `kamune identity import`
struct IdentityImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make an identity of a private key in PEM.",
        discussion: """
            Takes a private key of Ed25519 or ML-DSA-65 in PKCS #8, without a passphrase, as “openssl genpkey” writes it. The \
            file that is read stays as it is; remove it if nobody else shall have the key.
            """)

    @Argument(help: ArgumentHelp("The file to read; - for standard input.", valueName: "file"), completion: .file())
    var source: String

    @OptionGroup var options: IdentityFileOptions

    @Flag(name: .long, help: "Replace the identity that is there. It is lost then.")
    var force = false

    func run() throws {
        let identity: Identity
        if source == "-" {
            let name = "standard input"
            let pem = try PrivateFile.readToEnd(STDIN_FILENO, path: name, limit: IdentityFile.sizeLimit)
            identity = try IdentityFile.parse(pem, path: name)
        } else {
            identity = try IdentityFile(path: source).load(secret: false)
        }
        let file = try options.file()
        try file.save(identity, force: force)
        try IdentityReport.print(identity.publicKey, path: file.path)
    }
}
