public import KamuneCrypto
import KamuneProtocol

/// The protocol without any connection: two machines in one thread that hand each other their frames.
public struct ProtocolBenchmark: Sendable {
    let identity: Identity
    let effort: Double

    /// A benchmark in which both sides bear this identity; `effort` is a factor on the number of iterations.
    public init(identity: Identity, effort: Double) {
        self.identity = identity
        self.effort = effort
    }

    /// The two ends of an established session.
    struct Sessions: ~Copyable {
        var initiator: SessionMachine
        var responder: SessionMachine
    }

    private static let now = Moment(wall: Timestamp(seconds: 1_767_225_600), monotonic: .seconds(1))

    /// A whole cold handshake.
    func handshake() throws -> Sessions {
        let configuration = HandshakeConfiguration(identity: identity, name: "benchmark")
        var initiator: InitiatorMachine? = try InitiatorMachine(
            configuration: configuration, random: SystemRandomSource())
        var responder: ResponderMachine? = ResponderMachine(
            configuration: configuration, random: SystemRandomSource())
        var toResponder = initiator?.outgoing ?? []
        var toInitiator: [[UInt8]] = []
        var initiatorState: SessionState?
        var responderState: SessionState?

        while initiatorState == nil || responderState == nil {
            guard !toResponder.isEmpty || !toInitiator.isEmpty else { throw BenchmarkFailure.handshakeStalled }
            for frame in toResponder {
                guard let machine = responder.take() else { throw BenchmarkFailure.handshakeStalled }
                switch try machine.receivedFrame(frame, at: Self.now.wall) {
                case .proceed(let next): responder = consume next
                case .verifyPeer(let peer): responder = try peer.accept(at: Self.now.wall)
                case .resolveResumption: throw BenchmarkFailure.handshakeStalled
                case .established(let established): responderState = .some(established.state)
                }
                toInitiator += responder?.outgoing ?? []
            }
            toResponder = []
            for frame in toInitiator {
                guard let machine = initiator.take() else { throw BenchmarkFailure.handshakeStalled }
                switch try machine.receivedFrame(frame, at: Self.now.wall) {
                case .proceed(let next): initiator = consume next
                case .verifyPeer(let peer): initiator = try peer.accept(at: Self.now.wall)
                case .established(let established, let frames):
                    initiatorState = .some(established.state)
                    toResponder += frames
                }
                toResponder += initiator?.outgoing ?? []
            }
            toInitiator = []
        }
        guard let initiatorState, let responderState else { throw BenchmarkFailure.handshakeStalled }
        return Sessions(
            initiator: SessionMachine(initiatorState, agreedCapabilities: .all, at: Self.now),
            responder: SessionMachine(responderState, agreedCapabilities: .all, at: Self.now))
    }

    /// The cost of a cold handshake, both sides together, in microseconds.
    public func measureHandshake() throws -> Double {
        try Sampling.microseconds(iterations: max(Int(100 * effort), 3)) {
            _ = try handshake()
        }
    }

    /// Processor time for a message, in microseconds.
    public struct MessageCost: Sendable {
        /// On the side that seals it.
        public var sending: Double
        /// On the side that opens it.
        public var receiving: Double
        /// Of both sides.
        var total: Double { sending + receiving }

        mutating func keepBest(of other: MessageCost) {
            sending = min(sending, other.sending)
            receiving = min(receiving, other.receiving)
        }
    }

    /// The cost of a message on each side, in microseconds.
    public func measureMessage(size: Int, iterations: Int) throws -> MessageCost {
        var sessions = try handshake()
        var random = SystemRandomSource()
        let payload = random.bytes(size)
        var best = MessageCost(sending: .infinity, receiving: .infinity)
        let batch = max(Int(Double(iterations) * effort), 3)
        for _ in 0..<6 { best.keepBest(of: try Self.batch(&sessions, payload, count: batch)) }
        return best
    }

    /// How the cost of message 1,000,000 compares with that of message 1,000: a thousand in an old session and a thousand in
    /// a young one by turns, the best of each.
    func measureGrowth(messages: Int) throws -> Double {
        let payload = [UInt8](repeating: 7, count: 64)
        let batch = 1_000
        var old = try handshake()
        for _ in 0..<max(messages / batch, 1) { _ = try Self.batch(&old, payload, count: batch) }
        var (late, early) = (Double.infinity, Double.infinity)
        for _ in 0..<15 {
            var young = try handshake()
            _ = try Self.batch(&young, payload, count: batch)
            early = min(early, try Self.batch(&young, payload, count: batch).total)
            late = min(late, try Self.batch(&old, payload, count: batch).total)
        }
        return late / early
    }

    private static func batch(
        _ sessions: inout Sessions, _ payload: [UInt8], count: Int
    ) throws -> MessageCost {
        var frames: [[UInt8]] = []
        frames.reserveCapacity(count)
        let start = CPUClock.thread
        for _ in 0..<count { frames.append(try sessions.initiator.send(payload, at: now).frame) }
        let middle = CPUClock.thread
        for frame in frames { consume(try sessions.responder.receivedFrame(frame, at: now)) }
        let end = CPUClock.thread
        return MessageCost(
            sending: Double(middle - start) / Double(count) / 1_000,
            receiving: Double(end - middle) / Double(count) / 1_000)
    }
}

/// Why a benchmark could not be run.
public enum BenchmarkFailure: Error, Sendable {
    /// The machines did not come to a session.
    case handshakeStalled
    /// A session ended while it was measured.
    case sessionEnded
    /// The process that was to hold the other ends of sessions did not start, or failed.
    case holderFailed
}
