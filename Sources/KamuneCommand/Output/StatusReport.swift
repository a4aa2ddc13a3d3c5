import Foundation
import Kamune
import KamuneNode
import KamuneTerminal

/// How a node stands, for people.
struct StatusReport {
    let status: GetNodeStatus.Answer
    let peers: PeerList
    /// Whether no other program runs, so that this one has looked itself.
    let isOurs: Bool

    /// All of it.
    func rows(at now: Date) -> [String] {
        var rows: [String] = []
        if let identity = status.identity {
            let name = identity.name.isEmpty ? identity.publicKey.key.fingerprint.pseudonym : identity.name
            rows += FingerprintCard.row("you are", [TerminalText(name, maximumColumns: TextLimit.name).description])
            rows += FingerprintCard.row("emoji", [identity.emoji.joined(separator: " ")])
            rows += FingerprintCard.row("fingerprint", [identity.fingerprint])
        } else {
            rows += FingerprintCard.row("you are", ["nobody yet: “kamune start”, listen or dial makes an identity"])
        }
        if let store = status.store { rows += FingerprintCard.row("kept in", [TerminalText(store).description]) }
        if isOurs {
            rows += FingerprintCard.row("running", ["no; “kamune start” does, so that you can be reached"])
        } else {
            rows += FingerprintCard.row(
                "running", ["process \(status.process), since \(Times.localMinute(status.started))"])
            rows += Self.addresses(status)
            rows += conversations
        }
        rows += FingerprintCard.row("waiting", [waiting])
        return rows
    }

    /// Where one can be reached.
    static func addresses(_ status: GetNodeStatus.Answer) -> [String] {
        let places = status.listeners.flatMap { listener in
            [listener.address] + reachable(listener.reachable, at: listener.address)
        }
        let failed = status.unavailable.map { problem in
            "not at \(TerminalText(problem.address, maximumColumns: TextLimit.word)): "
                + TerminalText(problem.error.message, maximumColumns: TextLimit.sentence).description
        }
        return FingerprintCard.row("listening", places.isEmpty && failed.isEmpty ? ["nowhere"] : places + failed)
    }

    /// Where others can reach an address that is listened on, when that does not say so itself.
    static func reachable(_ addresses: [ReachableAddress], at listening: String) -> [String] {
        addresses.filter { $0.address != listening }.map { address in
            switch address.scope {
            case .everywhere: "  \(address.address)"
            case .privateNetwork: "  \(address.address)  (only from the same network)"
            case .thisMachine: "  \(address.address)  (only from this machine)"
            }
        }
    }

    private var conversations: [String] {
        let connected = status.conversations.map { conversation in
            let name = peers.name(of: conversation.contact)
            guard let link = conversation.link else { return "\(name): reconnecting" }
            return "\(name) (\(link.address))"
        }
        return FingerprintCard.row("connected", connected.isEmpty ? ["nobody"] : connected)
    }

    private var waiting: String {
        guard status.waiting > 0 else { return "nothing" }
        return
            "\(Count.messages(status.waiting)) for \(Count.of(status.contactsWaitedFor, "peer", "peers"))"
    }
}
