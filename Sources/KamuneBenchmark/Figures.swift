import KamuneCrypto

/// What is compared with each other, measured together. Machines change their speed within seconds, so that this is done by
/// turns, of which the best of each figure counts.
struct Figures {
    var primitives: PrimitiveCosts
    var alone: ProtocolFigures
    var sessions: SessionFigures

    static func measure(identity: Identity, effort: Double) async throws -> Figures {
        Figures(
            primitives: try PrimitiveCosts.measure(identity: identity, effort: effort),
            alone: try ProtocolFigures.measure(ProtocolBenchmark(identity: identity, effort: effort)),
            sessions: try await SessionFigures.measure(LoopbackBenchmark(identity: identity, effort: effort)))
    }

    mutating func keepBest(of other: Figures) {
        primitives.keepBest(of: other.primitives)
        alone.keepBest(of: other.alone)
        sessions.keepBest(of: other.sessions)
    }
}

/// What the protocol costs without a connection.
struct ProtocolFigures {
    var handshake: Double
    var small: ProtocolBenchmark.MessageCost
    var large: ProtocolBenchmark.MessageCost

    static func measure(_ benchmark: ProtocolBenchmark) throws -> ProtocolFigures {
        ProtocolFigures(
            handshake: try benchmark.measureHandshake(),
            small: try benchmark.measureMessage(size: 64, iterations: 2_000),
            large: try benchmark.measureMessage(size: PrimitiveCosts.largeMessageSize, iterations: 200))
    }

    mutating func keepBest(of other: ProtocolFigures) {
        handshake = min(handshake, other.handshake)
        small.keepBest(of: other.small)
        large.keepBest(of: other.large)
    }
}

/// What sessions cost over a connection, and what the system's sockets take of it.
struct SessionFigures {
    var handshake: LoopbackBenchmark.Handshakes
    var small: LoopbackBenchmark.Burst
    var large: LoopbackBenchmark.Burst
    var smallSockets: SocketCosts
    var largeSockets: SocketCosts
    var roundTrips: LoopbackBenchmark.RoundTrips

    static func measure(_ benchmark: LoopbackBenchmark) async throws -> SessionFigures {
        func times(_ count: Int) -> Int { max(Int(Double(count) * benchmark.effort), 10) }
        return SessionFigures(
            handshake: try await benchmark.measureHandshake(),
            small: try await benchmark.measureBurst(size: 64, count: times(5_000)),
            large: try await benchmark.measureBurst(size: PrimitiveCosts.largeMessageSize, count: times(500)),
            smallSockets: try SocketCosts.measure(size: SocketCosts.smallFrameSize, count: times(5_000)),
            largeSockets: try SocketCosts.measure(size: SocketCosts.largeFrameSize, count: times(1_000)),
            roundTrips: try await benchmark.measureRoundTrips(size: 64, count: times(2_000)))
    }

    mutating func keepBest(of other: SessionFigures) {
        handshake.keepBest(of: other.handshake)
        small.keepBest(of: other.small)
        large.keepBest(of: other.large)
        smallSockets.keepBest(of: other.smallSockets)
        largeSockets.keepBest(of: other.largeSockets)
        roundTrips.keepBest(of: other.roundTrips)
    }
}
