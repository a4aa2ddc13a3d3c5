import KamuneProtocol
import KamuneStore
import KamuneSystem
import KamuneTransport

// Where both sides want to be found (docs/PROTOCOL.md §10.7).

extension Messenger {
    /// Tells those who are connected, and to be told, where we want to be found now: ``Configuration/routes`` is asked again.
    /// Whom nothing else than the last time is to be told is told nothing.
    public func routesChanged() async {
        for conversation in conversations { await conversation.routesChanged() }
    }
}

extension Conversation {
    func routesChanged() { post(.routesChanged) }

    /// Finds out where we want to be found by a session's peer.
    func findRoutes(_ link: LinkID) {
        guard let find = endpoint.configuration.routes, let session = carriers[link]?.session else { return }
        let (store, id, time) = (store, peerID, endpoint.configuration.time)
        Task {
            guard let found = await find(id, session.sharesLink) else { return }
            let routes = PeerRoutes.acceptable(found, sharesLink: session.sharesLink).map(\.told)
            // Asked last, so that nobody learns it who was blocked meanwhile.
            guard (try? await store.read({ try $0.isAccepted(id, at: time.date) })) == true else { return }
            post(.foundRoutes(link, ToldRoutes(routes)))
        }
    }

    /// Of what a peer tells, what may be believed from somebody who is there.
    func judged(_ operation: ConversationMachine.StoreOperation) -> ConversationMachine.StoreOperation {
        guard case .keepRoutes(let link, let told) = operation else { return operation }
        let sharesLink = carriers[link]?.session.sharesLink ?? false
        let routes = PeerRoutes.acceptable(told.texts, sharesLink: sharesLink, needsScheme: true)
        return .keepRoutes(link, ToldRoutes(routes.map(\.description)))
    }
}

extension Session {
    /// Whether the peer reaches us over a private address, so that private addresses of one may mean the same to the other. One
    /// on this machine may be a proxy that speaks for anybody.
    var sharesLink: Bool {
        var host = remoteAddress[...]
        if let colon = host.lastIndex(of: ":") { host = host[..<colon] }
        switch AddressScope(of: host.trimmingBrackets) {
        case .privateUse, .sharedUse, .linkLocal: return true
        case .global, .loopback, .multicast, .unspecified, .reserved, nil: return false
        }
    }
}

extension Substring {
    fileprivate var trimmingBrackets: String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : String(self)
    }
}

/// Which addresses one peer tells another (§10.7).
enum PeerRoutes {
    /// Those that one may tell, or may be told: of a known kind, and nothing that means another machine to each of the two. What
    /// a name leads to is judged when it is dialed.
    ///
    /// - Parameters:
    ///   - sharesLink: Whether the two are connected over private addresses.
    ///   - needsScheme: Whether it must say how one is to be reached.
    static func acceptable(_ texts: [String], sharesLink: Bool, needsScheme: Bool = false) -> [Address] {
        texts.compactMap { text in
            guard !needsScheme || text.contains("://"), var address = try? Address(parsing: text),
                (try? address.checkDialable()) != nil, isAcceptable(host: address.host, sharesLink: sharesLink)
            else { return nil }
            // How it is dialed, the dialer knows.
            address.options = AddressOptions()
            return address
        }
    }

    private static func isAcceptable(host: String, sharesLink: Bool) -> Bool {
        // A zone belongs to one machine.
        if host.contains("%") { return false }
        return switch AddressScope(of: host) {
        case .global: true
        case .privateUse, .sharedUse: sharesLink
        case .linkLocal, .loopback, .multicast, .unspecified, .reserved: false
        case nil: !isLocal(name: host)
        }
    }

    /// Names that lead to another machine wherever they are asked for (RFC 6761, RFC 6762).
    private static func isLocal(name: String) -> Bool {
        let labels = name.lowercased().split(separator: ".")
        return labels.count < 2 || ["localhost", "local"].contains(labels.last)
    }
}

extension Address {
    /// As it is told: always with its scheme.
    fileprivate var told: String {
        "\(scheme.rawValue)://" + (host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
    }
}
