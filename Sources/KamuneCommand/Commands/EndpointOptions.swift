import ArgumentParser
import Kamune
import KamuneNode
import KamuneTerminal
import Logging

/// What listening and dialing have in common.
struct EndpointOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The file that holds your identity.",
            discussion: "Without it, the one that you have; it is made at first use.", valueName: "file"),
        completion: .file())
    var identity: FilePath?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What the other side is told to call you.",
            discussion: "Without it, the name set by “kamune identity name”, else the fingerprint of your identity.",
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
    var verify: AdmissionRule = .ask

    @OptionGroup var store: StoreOptions

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Leave no trace: nothing is kept of this conversation, not even whom it was with.",
            discussion: "Your identity and the peers whom you know are read, if there are any; nothing is written."))
    var incognito = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long a handshake may take, your answer and the other side's included.", valueName: "seconds"))
    var handshakeTimeout: Double = standardHandshakeTimeout

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Over UDP, send more than needed, so that lost messages arrive sooner.",
            discussion: "For talk on bad links; less fair to others on them. Also udp://host:port?turbo."))
    var turbo = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How the sending rate of UDP follows the network: rate-based, cubic or new-reno.",
            discussion: """
                rate-based follows the measured bandwidth, also where packets get lost; the others take losses for \
                congestion, as TCP does. Also udp://host:port?congestion=cubic.
                """, valueName: "algorithm"))
    var congestion: CongestionControl = .rateBased

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The key of the relay, if it has one.",
            discussion: """
                Other people on this machine may see it among the processes; KAMUNE_RELAY_KEY in the environment says the \
                same unseen.
                """, valueName: "key"))
    var relayKey: String?

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "In a script, write what arrives as JSON Lines, each with its “id”, sender and times.",
            discussion: "In a terminal it makes no difference."))
    var json = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A name of your own for where what arrives is written.",
            discussion: """
                For each name it is noted how far that has come, and what was not written yet is written at the next start; \
                after a kill a few messages may be written twice. A new name begins with what comes from then on.
                """, valueName: "name"))
    var output: String?

    @Option(
        name: .long,
        help: ArgumentHelp("How long to go on reading after the last line of a pipe was sent.", valueName: "seconds"))
    var linger: Double?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long to try to get a lost connection back: seconds, or “forever”; 0 for not at all.",
            discussion: """
                Without it, forever in a terminal, and a minute for a pipe. What was not delivered by then waits for the next \
                conversation with the same peer.
                """, valueName: "time"))
    var reconnect: ReconnectionTime?

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
        if let name, TerminalText(name).isBlank || !ArgumentText.isText(name) {
            throw ValidationError("--name takes a name that can be seen, in UTF-8.")
        }
    }

    /// A day, in seconds: more is a typing mistake.
    static let longestTime: Double = 86_400
}

/// How long to try to get a lost connection back.
enum ReconnectionTime: ExpressibleByArgument, Equatable {
    case forever
    case seconds(Double)

    init?(argument: String) {
        if argument.lowercased() == "forever" {
            self = .forever
        } else {
            guard let seconds = Double(argument), seconds >= 0, seconds <= EndpointOptions.longestTime else {
                return nil
            }
            self = .seconds(seconds)
        }
    }

    var patience: Duration? {
        switch self {
        case .forever: nil
        case .seconds(let seconds): .seconds(seconds)
        }
    }
}

extension EndpointOptions {
    /// What is said that the node, which may be another process's, is to do otherwise for this conversation.
    ///
    /// - Parameter dialTimeout: In seconds.
    func link(_ dialTimeout: Double? = nil) -> LinkOptions {
        LinkOptions(
            dialTimeout: dialTimeout == Self.standardDialTimeout ? nil : dialTimeout,
            handshakeTimeout: handshakeTimeout == Self.standardHandshakeTimeout ? nil : handshakeTimeout,
            turbo: turbo ? true : nil, congestion: congestion == .rateBased ? nil : congestion)
    }

    /// How long finding a host and connecting may take unless it is said, in seconds; see ``Configuration/dialTimeout``.
    static let standardDialTimeout: Double = 10
    /// How long a handshake may take unless it is said, in seconds; see ``Configuration/handshakeTimeout``.
    static let standardHandshakeTimeout: Double = 30

    /// What to do when a connection is lost.
    func reconnection(isTerminal: Bool) -> Reconnection {
        var reconnection = Reconnection()
        reconnection.patience = (reconnect ?? (isTerminal ? .forever : .seconds(60))).patience
        return reconnection
    }

    /// A relay's address with the key that was given; any other as it is.
    func keyed(_ address: String, in context: CommandContext) -> String {
        let key = relayKey.map { Array($0.utf8) } ?? context.environment.bytes("KAMUNE_RELAY_KEY")
        return key.map { RelayAddressText.keyed(address, $0) } ?? address
    }

    /// The limits and timeouts that were asked for.
    var configuration: Configuration {
        var configuration = Configuration()
        configuration.handshakeTimeout = .seconds(handshakeTimeout)
        configuration.udp.isTurbo = turbo
        configuration.udp.congestion = congestion
        return configuration
    }
}
