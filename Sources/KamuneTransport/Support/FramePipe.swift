internal import NIOCore
internal import Synchronization

/// A bounded queue of frames with one receiver: the receiving half of every connection, and each direction of an
/// in-memory one.
///
/// What feeds it either waits for room (``send(_:)``) or stops when told to (``offer(_:)``).
final class FramePipe: Sendable {
    /// What a frame costs beyond its bytes: roughly the header of its array and its place in the queue.
    private static let frameOverhead = 48

    /// How the stream of frames ended.
    enum Ending {
        /// The sender finished; the frames before it are still received.
        case finished
        /// The connection broke; the frames before it are still received.
        case failed(TransportError)
    }

    private struct State {
        var frames: [[UInt8]] = []
        var cost = 0
        var ending: Ending?
        /// What a sender is told; set with or before ``ending``.
        var refusal: TransportError?
        var receiver: WaitingReceiver?
        var senders = WaitingSenders()
        var lastTicket: UInt64 = 0
        /// Whether ``offer(_:)`` said that it is enough.
        var isOverfull = false

        mutating func ticket() -> UInt64 {
            lastTicket &+= 1
            return lastTicket
        }
    }

    private struct WaitingReceiver {
        let ticket: UInt64
        let since: NIODeadline
        let continuation: CheckedContinuation<Received, Never>
    }

    typealias Received = Result<[[UInt8]]?, TransportError>

    private let limit: Int
    private let budget: MemoryBudget
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: How many bytes may wait before there is no room; at least one.
    ///   - budget: Where they are counted. When that is full, there is room only for as long as nothing waits here.
    init(limit: Int, budget: MemoryBudget = MemoryBudget()) {
        self.limit = limit
        self.budget = budget
    }

    // MARK: Feeding

    /// Adds frames, whether there is room or not. Frames after the end are dropped.
    ///
    /// - Returns: Whether there is room for more. If not, ``receive(onRoom:)`` will call its `onRoom` when there is.
    func offer(_ frames: [[UInt8]]) -> Bool {
        let (receiver, hasRoom): (WaitingReceiver?, Bool) = state.withLock { state in
            guard state.ending == nil else { return (nil, true) }
            if let receiver = state.receiver.take() {
                return (receiver, true)
            }
            enqueue(frames, in: &state)
            state.isOverfull = isFull(state.cost)
            return (nil, !state.isOverfull)
        }
        receiver?.continuation.resume(returning: .success(frames))
        return hasRoom
    }

    /// Adds frames, whether there is room or not.
    func enqueue(_ frames: [[UInt8]]) throws(TransportError) {
        _ = try trySend(frames, force: true).get()
    }

    /// Whether there is no room.
    var isFull: Bool {
        state.withLock { isFull($0.cost) }
    }

    private func isFull(_ cost: Int) -> Bool {
        cost >= limit || cost > 0 && !budget.hasRoom
    }

    /// Adds frames, if any, and waits for room first.
    func send(_ frames: [[UInt8]]) async throws(TransportError) {
        switch trySend(frames) {
        case .success(true): return
        case .success(false): break
        case .failure(let error): throw error
        }
        let ticket = state.withLock { $0.ticket() }
        let error = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let sender = WaitingSender(ticket: ticket, frames: frames, continuation: continuation)
                switch trySend(frames, orWait: sender) {
                case .success(true): continuation.resume(returning: nil)
                case .success(false): if Task.isCancelled { cancelSender(ticket) }
                case .failure(let error): continuation.resume(returning: error)
                }
            }
        } onCancel: {
            cancelSender(ticket)
        }
        if let error { throw error }
    }

    /// Adds the frames if that needs no waiting; otherwise queues the sender, if one is given.
    private func trySend(
        _ frames: [[UInt8]],
        force: Bool = false,
        orWait sender: WaitingSender? = nil
    ) -> Result<Bool, TransportError> {
        let (result, receiver): (Result<Bool, TransportError>, WaitingReceiver?) = state.withLock { state in
            if let refusal = state.refusal { return (.failure(refusal), nil) }
            if !frames.isEmpty, let receiver = state.receiver.take() { return (.success(true), receiver) }
            guard force || state.senders.isEmpty && !isFull(state.cost) else {
                if let sender { state.senders.append(sender) }
                return (.success(false), nil)
            }
            enqueue(frames, in: &state)
            return (.success(true), nil)
        }
        receiver?.continuation.resume(returning: .success(frames))
        return result
    }

    private func cancelSender(_ ticket: UInt64) {
        state.withLock { $0.senders.remove(ticket) }?.continuation.resume(returning: .cancelled)
    }

    private func enqueue(_ frames: [[UInt8]], in state: inout State) {
        let cost = frames.reduce(0) { $0 &+ $1.count &+ Self.frameOverhead }
        state.cost &+= cost
        budget.add(cost)
        if state.frames.isEmpty {
            state.frames = frames
        } else {
            state.frames.append(contentsOf: frames)
        }
    }

    // MARK: Ending

    /// Refuses further frames. What the receiver gets is as before.
    func refuse(_ refusal: TransportError) {
        let senders = state.withLock { state in
            if state.refusal == nil { state.refusal = refusal }
            return state.senders.removeAll()
        }
        for sender in senders { sender.continuation.resume(returning: refusal) }
    }

    /// Ends the stream after the frames that are in it, and refuses further ones.
    func finish(refusing refusal: TransportError) {
        end(.finished, refusal: refusal, discarding: false)
    }

    /// Breaks the stream.
    ///
    /// - Parameter discarding: Whether frames that were not received yet are dropped.
    func fail(_ error: TransportError, refusing refusal: TransportError? = nil, discarding: Bool = false) {
        end(.failed(error), refusal: refusal ?? error, discarding: discarding)
    }

    private func end(_ ending: Ending, refusal: TransportError, discarding: Bool) {
        let (receiver, senders): (WaitingReceiver?, [WaitingSender]) = state.withLock { state in
            if discarding {
                // Dropping what was received is our own doing, so it comes before however the peer ended.
                _ = takeFrames(from: &state)
                state.ending = ending
            } else if state.ending == nil {
                state.ending = ending
            }
            if state.refusal == nil { state.refusal = refusal }
            return (state.receiver.take(), state.senders.removeAll())
        }
        receiver?.continuation.resume(returning: Self.result(of: ending))
        for sender in senders { sender.continuation.resume(returning: refusal) }
    }

    private static func result(of ending: Ending) -> Received {
        switch ending {
        case .finished: .success(nil)
        case .failed(let error): .failure(error)
        }
    }

    // MARK: Receiving

    /// Takes all frames, and waits for one if there is none.
    ///
    /// - Parameter onRoom: Called when ``offer(_:)`` had said that there is no room, and now there is.
    func receive(onRoom: () -> Void = {}) async throws(TransportError) -> [[UInt8]]? {
        if let received = tryReceive(onRoom: onRoom) { return try received.get() }
        let ticket = state.withLock { $0.ticket() }
        let received = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let since = NIODeadline.now()
                let receiver = WaitingReceiver(ticket: ticket, since: since, continuation: continuation)
                if let received = tryReceive(orWait: receiver, onRoom: onRoom) {
                    continuation.resume(returning: received)
                } else if Task.isCancelled {
                    cancelReceiver(ticket)
                }
            }
        } onCancel: {
            cancelReceiver(ticket)
        }
        return try received.get()
    }

    /// What can be received now; `nil` if that is nothing, and then the receiver, if one is given, waits.
    private func tryReceive(orWait receiver: WaitingReceiver? = nil, onRoom: () -> Void) -> Received? {
        let (received, roomMade, senders): (Received?, Bool, [WaitingSender]) = state.withLock { state in
            if state.receiver != nil { return (.failure(.concurrentReceive), false, []) }
            if !state.frames.isEmpty {
                let roomMade = state.isOverfull
                state.isOverfull = false
                return (.success(takeFrames(from: &state)), roomMade, admitSenders(in: &state))
            }
            if let ending = state.ending { return (Self.result(of: ending), false, []) }
            state.receiver = receiver
            return (nil, false, [])
        }
        for sender in senders { sender.continuation.resume(returning: nil) }
        if roomMade { onRoom() }
        return received
    }

    private func takeFrames(from state: inout State) -> [[UInt8]] {
        defer {
            budget.remove(state.cost)
            state.frames = []
            state.cost = 0
        }
        return state.frames
    }

    private func admitSenders(in state: inout State) -> [WaitingSender] {
        var admitted: [WaitingSender] = []
        while !isFull(state.cost), let sender = state.senders.popFirst() {
            enqueue(sender.frames, in: &state)
            admitted.append(sender)
        }
        return admitted
    }

    private func cancelReceiver(_ ticket: UInt64) {
        let receiver = state.withLock { state in
            state.receiver?.ticket == ticket ? state.receiver.take() : nil
        }
        receiver?.continuation.resume(returning: .failure(.cancelled))
    }

    // MARK: Time

    /// Since when the receiver has been waiting for a frame.
    var receiverWaitingSince: NIODeadline? {
        state.withLock { $0.receiver?.since }
    }

    /// Since when the first of the senders has been waiting for room.
    var senderWaitingSince: NIODeadline? {
        state.withLock { $0.senders.waitingSince }
    }
}
