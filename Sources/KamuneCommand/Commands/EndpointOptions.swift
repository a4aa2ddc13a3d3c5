import ArgumentParser
import Kamune
import Logging

/// What listening and dialing have in common.
struct EndpointOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The file that holds your identity.",
            discussion: "Without it, the one in your data directory; it is made at first use.", valueName: "file"),
        completion: .file())
    var identity: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What the other side is told to call you.", discussion: "Without it, the fingerprint of your identity.",
            valueName: "name"))
    var name: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Whom to talk to: ask, known or all.",
            discussion: """
                ask: known peers; you are asked about others, and without a terminal they are refused. known: only peers \
                whom you have accepted before. all: anybody; the conversation is then encrypted, but with whom is not known.
                """, valueName: "policy"))
    var verify: Reception.Policy = .ask

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The file of the peers whom you have accepted.", discussion: "Without it, the one in your data directory.",
            valueName: "file"),
        completion: .file())
    var knownPeers: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long a handshake may take, your answer and the other side's included.", valueName: "seconds"))
    var handshakeTimeout: Double = 30

    @Option(
        name: .long,
        help: ArgumentHelp("How long to go on reading after the last line of a pipe was sent.", valueName: "seconds"))
    var linger: Double?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How much to tell: trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel: Logger.Level = .notice

    func validate() throws {
        guard handshakeTimeout > 0, handshakeTimeout <= Self.longestTime else {
            throw ValidationError("--handshake-timeout takes a number of seconds above 0, up to a day.")
        }
        guard linger.map({ $0 >= 0 && $0 <= Self.longestTime }) ?? true else {
            throw ValidationError("--linger takes a number of seconds from 0, up to a day.")
        }
        if let name, DisplayText(name).description.allSatisfy(\.isWhitespace) {
            throw ValidationError("--name takes a name that can be seen.")
        }
    }

    /// A day, in seconds: more is a typing mistake.
    private static let longestTime: Double = 86_400
}

extension EndpointOptions {
    /// The limits and timeouts that were asked for.
    var configuration: Configuration {
        var configuration = Configuration()
        configuration.handshakeTimeout = .seconds(handshakeTimeout)
        return configuration
    }

    /// Where known peers are kept.
    func peerBook(_ environment: [String: String]) throws(FileFailure) -> FilePeerBook {
        if let knownPeers { return FilePeerBook(path: knownPeers) }
        return FilePeerBook(path: try DataDirectory.peersFile(environment))
    }

    /// The identity, made now if there is none.
    ///
    /// - Returns: The identity, and a sentence about it if it is new.
    func loadIdentity(_ environment: [String: String]) throws(FileFailure) -> (identity: Identity, note: String?) {
        let file = try IdentityFile(path: identity, environment)
        let (identity, isNew) = try file.loadOrCreate()
        return (identity, isNew ? "A new identity was made for you: \(DisplayText(file.path))" : nil)
    }
}
