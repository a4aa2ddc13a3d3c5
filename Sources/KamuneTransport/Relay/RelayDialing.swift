internal import KamuneRelayProtocol
internal import NIOCore
internal import NIOPosix

/// Connects to a relay and registers there, on one event loop: up to its consent, within the time for dialing.
final class RelayDialing {
    /// A connection to a relay that has consented.
    struct Registration {
        let channel: any Channel
        let handler: RelayClientHandler
        let consent: RelayFrame.Registered
    }

    private let address: Address
    private let configuration: TransportConfiguration
    private let eventLoop: any EventLoop
    private let wish: RelayClientMachine.Wish
    private let tls: RelayTLS?
    private var completion: ((Result<Registration, TransportError>) -> Void)?
    /// Told when the other client is there, and of the end; after the registration.
    private let later: (RelayClientHandler.Event) -> Void
    private var channel: (any Channel)?
    private var deadline: Scheduled<Void>?

    /// - Parameters:
    ///   - completion: Given what has come of it, once.
    ///   - later: Told what happens after the relay's consent.
    init(
        _ address: Address, _ request: RelayFrame.Request, configuration: TransportConfiguration, tls: RelayTLS?,
        eventLoop: any EventLoop, completion: @escaping (Result<Registration, TransportError>) -> Void,
        later: @escaping (RelayClientHandler.Event) -> Void
    ) {
        self.address = address
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.tls = tls
        self.completion = completion
        self.later = later
        wish = RelayClientMachine.Wish(request, key: address.relay.key ?? configuration.relayKey)
    }

    /// Begins. This lives for as long as the connection.
    func begin() {
        deadline = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(clamping: configuration.dialTimeout)) {
            self.complete(.failure(.timedOut(.connect)))
        }
        StreamDialing(address, configuration: configuration, eventLoop: eventLoop) { channel in
            try self.prepare(channel)
        } completion: { outcome in
            switch outcome {
            case .success(let channel): self.connected(channel)
            case .failure(let error): self.complete(.failure(error))
            }
        }.begin(by: configuration.targets.filtering(NameResolution.addresses))
    }

    /// Nobody wants it any more.
    func cancel() {
        complete(.failure(.cancelled))
    }

    /// Sets up a channel: TLS, then a WebSocket or the stream's framing, then the relay's protocol.
    private func prepare(_ channel: any Channel) throws {
        if let options = channel.syncOptions {
            try options.setOption(.allowRemoteHalfClosure, value: true)
            if tls == nil, !address.scheme.usesWebSocket {
                try options.setOption(.maxMessagesPerRead, value: 1)
                try options.setOption(.recvAllocator, value: PooledReceiveAllocator())
            }
            try? options.setOption(.tcpOption(.tcp_nodelay), value: configuration.tcpNoDelay ? 1 : 0)
            try? options.setOption(.socketOption(.so_keepalive), value: configuration.tcpKeepAlive ? 1 : 0)
        }
        try tls?.add(to: channel)
        // One for each attempt: whichever is connected first goes on.
        var registration: RelayClientHandler?
        let handler = try RelayClientHandler(wish, address: address.withoutToken, tls: tls) { [weak channel] event in
            guard let channel, let handler = registration else { return }
            self.happened(event, handler, channel)
            if case .ended = event { registration = nil }
        }
        registration = handler
        if address.scheme.usesWebSocket {
            let request = RelayUpgradeHandler(to: address, tls: tls) { [weak channel] error in
                registration = nil
                if let channel, channel === self.channel { self.complete(.failure(error)) }
            }
            try channel.prepareForWebSocket(request) { try channel.pipeline.syncOperations.addHandler(handler) }
        } else {
            try channel.pipeline.syncOperations.addHandler(RelayStreamFraming())
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }

    private func connected(_ channel: any Channel) {
        guard completion != nil else { return channel.close(promise: nil) }
        self.channel = channel
    }

    private func happened(_ event: RelayClientHandler.Event, _ handler: RelayClientHandler, _ channel: any Channel) {
        // Not of an attempt that came second.
        guard channel === self.channel else { return }
        switch event {
        case .registered(let consent):
            complete(.success(Registration(channel: channel, handler: handler, consent: consent)))
        case .ended(let error) where completion != nil:
            complete(.failure(error))
        case .paired, .ended:
            later(event)
        }
    }

    private func complete(_ outcome: Result<Registration, TransportError>) {
        deadline?.cancel()
        deadline = nil
        guard let completion = completion.take() else { return }
        if case .failure = outcome { channel?.close(promise: nil) }
        completion(outcome)
    }
}

extension Address {
    /// The address as people may see it: without the word to meet under.
    var withoutToken: String {
        var shown = self
        shown.relay.token = nil
        return "\(shown)"
    }

    /// Host and port as the web writes them (RFC 9110, 7.2), the port only where it is not the usual one.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == scheme.defaultPort ? name : "\(name):\(port)"
    }
}
