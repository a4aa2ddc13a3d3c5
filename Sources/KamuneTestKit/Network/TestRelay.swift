internal import KamuneCrypto
package import KamuneRelayProtocol
package import KamuneTransport
internal import Synchronization

/// A small relay within the process: pairs who meets under a token, and passes their messages on. It speaks TCP, whose frames are a
/// connection's, and can be told to be difficult.
package final class TestRelay: Sendable {
    /// What it is like.
    package struct Character: Sendable {
        /// What whoever comes must know.
        package var key: PreSharedKey?
        /// For how many seconds it says that it lets somebody wait; it does not count them.
        package var tokenLifetime: UInt32 = 300
        /// Closes instead of refusing, as version 0.7 does.
        package var isSilent = false

        /// An open and friendly one.
        package init() {}
    }

    /// One that is connected.
    private final class Client: Sendable {
        let connection: any Connection
        private let channel: Mutex<RelayChannel>
        let partner = Mutex<Client?>(nil)

        init(_ connection: any Connection, _ channel: consuming RelayChannel) {
            self.connection = connection
            self.channel = Mutex(channel)
        }

        func open(_ frame: [UInt8]) throws -> RelayFrame {
            try channel.withLock { channel in try RelayFrame(decoding: channel.open(frame)) }
        }

        func send(_ frame: RelayFrame) async throws {
            try channel.withLock { channel in try connection.enqueue([channel.seal(frame)]) }
            try await connection.waitForRoom()
        }
    }

    private let listener: any ConnectionListener
    private let character: Character
    private let state = Mutex<State>(State())

    private struct State {
        var waiting: [RelayToken: Client] = [:]
        var clients: [Client] = []
        var registrations = 0
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    /// Where it listens; without a token.
    package var address: Address { Address(scheme: .relayTCP, host: "127.0.0.1", port: listener.localAddress.port) }

    /// The same with a token.
    package func address(_ token: RelayToken) -> Address {
        var address = address
        address.relay.token = token
        return address
    }

    private init(_ listener: any ConnectionListener, _ character: Character) {
        self.listener = listener
        self.character = character
    }

    /// Listens on the loopback interface.
    package static func start(_ character: Character = Character()) async throws -> TestRelay {
        var configuration = TransportConfiguration()
        configuration.readTimeout = nil
        configuration.strangers = MemoryPool(limit: 1 << 30)
        configuration.memoryLimit = 1 << 30
        let listener = try await TCPTransport.listen(
            on: Address(host: "127.0.0.1", port: 0), configuration: configuration)
        let relay = TestRelay(listener, character)
        Task { [weak relay] in
            while let connection = try await listener.accept() {
                guard let relay else { return }
                Task { await relay.serve(connection) }
            }
        }
        return relay
    }

    /// Stops listening, and drops everybody.
    package func stop() async {
        await listener.close()
        dropAll()
    }

    /// Drops everybody, as when it starts again.
    package func dropAll() {
        let clients = state.withLock { state in
            state.waiting = [:]
            defer { state.clients = [] }
            return state.clients
        }
        for client in clients { client.connection.abort() }
    }

    /// Waits until so many have registered in all.
    package func registered(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.registrations >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    private func noteRegistration() {
        let done = state.withLock { state in
            state.registrations += 1
            let count = state.registrations
            let done = state.watchers.filter { $0.count <= count }
            state.watchers.removeAll { $0.count <= count }
            return done
        }
        for watcher in done { watcher.continuation.resume() }
    }

    // MARK: Clients

    private struct Refusal: Error {
        let reason: RelayRefusal
    }

    private func serve(_ connection: any Connection) async {
        do {
            var frames = Frames(connection)
            var random = SystemRandomSource()
            var encapsulator = SystemEncapsulator()
            let responder = try RelayExchangeResponder(hello: await frames.next(), using: &random, &encapsulator)
            try await connection.send(frame: responder.answer)
            let last = try await frames.next()
            let client = Client(connection, try responder.received(last))
            state.withLock { $0.clients.append(client) }
            do {
                try await admit(client, &frames)
            } catch let refusal as Refusal {
                if !character.isSilent { try await client.send(.refused(refusal.reason)) }
                return await connection.close()
            }
            await pump(client, frames.rest)
        } catch {
            connection.abort()
        }
    }

    private func admit(_ client: Client, _ frames: inout Frames) async throws {
        var frame = try client.open(await frames.next())
        if let key = character.key {
            guard case .auth(key, _) = frame else { throw Refusal(reason: .unauthenticated) }
            try await client.send(.auth(PreSharedKey(copying: []), extensions: []))
            frame = try client.open(await frames.next())
        }
        guard case .register(let registration) = frame else { throw Refusal(reason: .malformedRequest) }
        switch registration.request {
        case .failure(let reason): throw Refusal(reason: reason)
        case .success(.create(let token)):
            var random = SystemRandomSource()
            let token = token ?? .fromRelay(using: &random)
            let isNew = state.withLock { state in
                guard state.waiting[token] == nil else { return false }
                state.waiting[token] = client
                return true
            }
            guard isNew else { throw Refusal(reason: .tokenInUse) }
            try await client.send(
                .registered(
                    .init(token: token.bytes, tokenLifetime: character.tokenLifetime, sessionLifetime: 0)))
            noteRegistration()
        case .success(.join(let token)):
            guard let other = state.withLock({ $0.waiting.removeValue(forKey: token) }) else {
                throw Refusal(reason: .unknownToken)
            }
            client.partner.withLock { $0 = other }
            other.partner.withLock { $0 = client }
            try await client.send(.registered(.init(token: token.bytes, tokenLifetime: 0, sessionLifetime: 0)))
        }
    }

    private func pump(_ client: Client, _ first: [[UInt8]]) async {
        var partner: Client? { client.partner.withLock { $0 } }
        do {
            var batch: [[UInt8]]? = first
            while let frames = batch {
                for frame in frames {
                    switch try client.open(frame) {
                    case .message(let data): try await partner?.send(.message(data))
                    case .ping: try await client.send(.pong)
                    default: break
                    }
                }
                batch = try await client.connection.receive()
            }
            leave(client)
            await partner?.connection.close()
            await client.connection.close()
        } catch {
            leave(client)
            partner?.connection.abort()
            client.connection.abort()
        }
    }

    private func leave(_ client: Client) {
        state.withLock { state in
            state.waiting = state.waiting.filter { $0.value !== client }
            state.clients.removeAll { $0 === client }
        }
    }

    /// Frames one by one.
    private struct Frames {
        private let connection: any Connection
        private(set) var rest: [[UInt8]] = []

        init(_ connection: any Connection) {
            self.connection = connection
        }

        mutating func next() async throws -> [UInt8] {
            while rest.isEmpty {
                guard let more = try await connection.receive() else { throw TransportError.reset }
                rest = more
            }
            return rest.removeFirst()
        }
    }
}
