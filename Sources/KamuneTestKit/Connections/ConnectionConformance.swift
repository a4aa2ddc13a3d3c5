public import KamuneTransport

/// What every ``Connection`` must do, whatever carries its frames.
///
/// Needs no testing library: a check that fails throws a ``Failure``. With Swift Testing:
///
/// ```swift
/// @Test(.timeLimit(.minutes(1)), arguments: ConnectionConformance.Check.allCases)
/// func conforms(check: ConnectionConformance.Check) async throws {
///     try await ConnectionConformance { configuration in
///         MemoryTransport.pair(configuration: configuration)
///     }.run(check)
/// }
/// ```
public struct ConnectionConformance: Sendable {
    /// Makes two ends of one connection, both with the given limits.
    public typealias MakePair =
        @Sendable (TransportConfiguration) async throws -> (any Connection, any Connection)

    /// One promise of ``Connection``.
    public enum Check: String, CaseIterable, Sendable {
        case framesKeepTheirOrder, framesOfAllSizes, oversizedFramesAreRefused, batchesStayTogether
        case bothDirectionsAtOnce, backPressure, enqueueingOvershoots, roomAtFirst
        case budgetCountsWhatWaits, fullBudgetHoldsNobodyForEver
        case halfClose, gracefulClose, closeWhileFramesArrive, abort, dropping
        case useAfterClose, useAfterPeerClosed, waitingEndsWithAbort, waitingEndsWithPeersAbort,
            waitingSenderEndsWithClose
        case cancelledReceive, cancelledSend, cancellationWithoutWaiting, oneReceiverOnly
        case readTimeout, writeTimeout
    }

    /// A promise that was not kept.
    public struct Failure: Error, CustomStringConvertible {
        /// Which.
        public let check: Check
        /// What happened instead.
        public let message: String

        /// The check and what happened.
        public var description: String { "\(check.rawValue): \(message)" }
    }

    /// More than the buffers of any system between two ends hold, in bytes. While nothing is read, they hold much less.
    static let moreThanAnyBuffer = 32 << 20

    private let makePair: MakePair

    /// - Parameter makePair: Makes the connections to check.
    public init(makePair: @escaping MakePair) {
        self.makePair = makePair
    }

    /// Runs one check.
    ///
    /// - Throws: ``Failure``, or the error of a call that should have succeeded.
    public func run(_ check: Check) async throws {
        let context = Context(check: check, makePair: makePair)
        switch check {
        case .framesKeepTheirOrder: try await context.framesKeepTheirOrder()
        case .framesOfAllSizes: try await context.framesOfAllSizes()
        case .oversizedFramesAreRefused: try await context.oversizedFramesAreRefused()
        case .batchesStayTogether: try await context.batchesStayTogether()
        case .bothDirectionsAtOnce: try await context.bothDirectionsAtOnce()
        case .backPressure: try await context.backPressure()
        case .enqueueingOvershoots: try await context.enqueueingOvershoots()
        case .roomAtFirst: try await context.roomAtFirst()
        case .budgetCountsWhatWaits: try await context.budgetCountsWhatWaits()
        case .fullBudgetHoldsNobodyForEver: try await context.fullBudgetHoldsNobodyForEver()
        case .halfClose: try await context.halfClose()
        case .gracefulClose: try await context.gracefulClose()
        case .closeWhileFramesArrive: try await context.closeWhileFramesArrive()
        case .abort: try await context.abort()
        case .dropping: try await context.dropping()
        case .useAfterClose: try await context.useAfterClose()
        case .useAfterPeerClosed: try await context.useAfterPeerClosed()
        case .waitingEndsWithAbort: try await context.waitingEndsWithAbort()
        case .waitingEndsWithPeersAbort: try await context.waitingEndsWithPeersAbort()
        case .waitingSenderEndsWithClose: try await context.waitingSenderEndsWithClose()
        case .cancelledReceive: try await context.cancelledReceive()
        case .cancelledSend: try await context.cancelledSend()
        case .cancellationWithoutWaiting: try await context.cancellationWithoutWaiting()
        case .oneReceiverOnly: try await context.oneReceiverOnly()
        case .readTimeout: try await context.readTimeout()
        case .writeTimeout: try await context.writeTimeout()
        }
    }
}

extension ConnectionConformance {
    /// What a check works with.
    struct Context: Sendable {
        let check: Check
        let makePair: MakePair

        /// Makes a pair. Its limits of time turn what would hang into an error.
        func pair(
            _ adjust: (inout TransportConfiguration) -> Void = { _ in }
        ) async throws -> (any Connection, any Connection) {
            var configuration = TransportConfiguration()
            configuration.readTimeout = .seconds(20)
            configuration.writeTimeout = .seconds(20)
            configuration.closeTimeout = .seconds(20)
            adjust(&configuration)
            return try await makePair(configuration)
        }

        func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
            guard condition else { throw Failure(check: check, message: message()) }
        }

        /// Requires that an operation throws one of some errors.
        func requireError<Value>(
            _ expected: TransportError..., from what: String, _ operation: () async throws -> Value
        ) async throws {
            do {
                let value = try await operation()
                throw Failure(check: check, message: "\(what) returned \(value) instead of throwing \(expected)")
            } catch let error as TransportError {
                try require(expected.contains(error), "\(what) threw \(error) instead of one of \(expected)")
            }
        }

        /// Requires that just these frames arrive next.
        func requireFrames(_ expected: [[UInt8]], at connection: any Connection) async throws {
            var received: [[UInt8]] = []
            while received.count < expected.count {
                guard let frames = try await connection.receive() else { break }
                try require(!frames.isEmpty, "receive() returned no frame")
                received += frames
            }
            try require(
                received == expected,
                "\(expected.count) frames of \(expected.map(\.count).reduce(0, +)) bytes became \(received.count) of "
                    + "\(received.map(\.count).reduce(0, +)), or others"
            )
        }

        /// Requires that the stream has ended after a whole frame, and stays so.
        func requireEnd(at connection: any Connection) async throws {
            for _ in 0..<2 {
                let frames = try await connection.receive()
                try require(frames == nil, "\(frames?.count ?? 0) frames came instead of the end of the stream")
            }
        }

        /// Requires that the connection has been broken by the peer, perhaps after frames.
        func requireReset(at connection: any Connection) async throws {
            try await requireError(.reset, from: "receive()") {
                while let frames = try await connection.receive() {
                    try require(!frames.isEmpty, "receive() returned no frame")
                }
            }
        }

        /// Queues more than fits between two ends of which one receives nothing, so that the connection stays congested.
        ///
        /// - Returns: The frames.
        func congest(_ connection: any Connection) throws -> [[UInt8]] {
            let frames = (0..<(ConnectionConformance.moreThanAnyBuffer / 2 / 60_000)).map(numbered(size: 60_000))
            try connection.enqueue(frames)
            try require(connection.isCongested, "isCongested is false with \(frames.count) large frames queued")
            return frames
        }

        /// A frame that shows its number.
        func numbered(size: Int) -> (Int) -> [UInt8] {
            { number in
                var frame = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
                if size >= 2 { frame[1] = UInt8(truncatingIfNeeded: number >> 8) }
                return frame
            }
        }
    }
}
