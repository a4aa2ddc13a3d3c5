internal import NIOCore
internal import NIOPosix

/// Connects to whichever address of a host answers first, on one event loop.
final class StreamDialing {
    private let address: Address
    private let configuration: TransportConfiguration
    private let eventLoop: any EventLoop
    private let prepare: (any Channel) throws -> Void
    private let completion: (Result<any Channel, TransportError>) -> Void
    private var dialer: AddressDialer?
    /// The attempts that are under way.
    private var channels: [Int: any Channel] = [:]
    private var failures: [TransportError] = []

    /// - Parameters:
    ///   - prepare: Sets up a channel before it is active.
    ///   - completion: Given the channel, which is active, or what all attempts came to.
    init(
        _ address: Address, configuration: TransportConfiguration, eventLoop: any EventLoop,
        prepare: @escaping (any Channel) throws -> Void,
        completion: @escaping (Result<any Channel, TransportError>) -> Void
    ) {
        self.address = address
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.prepare = prepare
        self.completion = completion
    }

    /// Begins. This lives until it is completed.
    func begin(by resolver: NameResolution.Resolver) {
        let dialer = AddressDialer(eventLoop: eventLoop) { event in
            switch event {
            case .addressFound: break
            case .attempt(let number, let target): self.start(number, target)
            case .exhausted(let wasFound):
                let unknown = TransportError.nameNotResolved(host: self.address.host)
                self.finish(.failure(wasFound ? TransportError(failedAttempts: self.failures) : unknown))
            case .timedOut: self.finish(.failure(.timedOut(.connect)))
            }
        }
        self.dialer = dialer
        dialer.begin(
            host: address.host, port: address.port, limit: TimeAmount(clamping: configuration.dialTimeout),
            by: resolver)
    }

    private func start(_ number: Int, _ target: SocketAddress) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(clamping: configuration.dialTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    bound.value.channels[number] = channel
                    try bound.value.prepare(channel)
                }
            }
            .connect(to: target)
            .assumeIsolated().whenComplete { self.finished(number, $0) }
    }

    private func finished(_ number: Int, _ outcome: Result<any Channel, any Error>) {
        channels[number] = nil
        guard let dialer else {
            // Another one was faster.
            if case .success(let channel) = outcome { channel.close(promise: nil) }
            return
        }
        do {
            finish(.success(try outcome.get()))
        } catch {
            failures.append(TransportError(dialing: address, error))
            dialer.failed(number)
        }
    }

    private func finish(_ outcome: Result<any Channel, TransportError>) {
        dialer?.stop()
        dialer = nil
        let losers = channels.values
        channels = [:]
        for channel in losers { channel.close(promise: nil) }
        completion(outcome)
    }
}
