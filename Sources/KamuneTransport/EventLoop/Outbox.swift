internal import NIOCore
internal import Synchronization

/// What waits to be written to a socket: one buffer of whole frames, filled by senders while what was before it is being
/// written, and the senders that wait for room.
///
/// A sender that finds nothing waiting writes to the socket itself. What the system does not take at once, and what comes
/// meanwhile, is gathered here for the event loop: senders copy their frames in, headers before them, so that a batch of
/// any number of frames becomes one write.
final class Outbox: Sendable {
    private struct State {
        /// What senders write to, while the channel is active.
        var descriptor: SocketDescriptor?
        var pending: ByteBuffer?
        /// Bytes that were taken by ``take()``, or that a sender is writing itself.
        var inFlight = 0
        /// The memory of those that were taken.
        var inFlightCapacity = 0
        /// Whether somebody has promised to call ``take()``.
        var isFlushPromised = false
        var refusal: TransportError?
        var senders = WaitingSenders()
        var lastTicket: UInt64 = 0
        /// How many bytes of memory the budget was told of.
        var counted = 0

        var size: Int { inFlight &+ (pending?.readableBytes ?? 0) }
        var capacity: Int { inFlightCapacity &+ (pending?.capacity ?? 0) }
    }

    /// What became of frames.
    private enum Added {
        /// They will go out with the flush that is coming.
        case taken
        /// They will go out when the caller makes a flush happen, as it now must.
        case flushNeeded
        /// They are for the caller to write, now. They count as in flight.
        case writeNow(SocketDescriptor)
        /// There is no room.
        case full
        /// They cannot be sent any more.
        case refused(TransportError)
    }

    private let limit: Int
    private let lowWater: Int
    private let budget: MemoryBudget
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: How many bytes may wait before senders wait.
    ///   - budget: Where they are counted. When that is full, there is room only for as long as nothing waits here.
    init(limit: Int, budget: MemoryBudget) {
        self.limit = limit
        self.budget = budget
        lowWater = limit / 2
    }

    // MARK: Senders

    /// Adds frames, if any, and waits for room first.
    ///
    /// - Parameter flush: Makes a flush happen, soon and elsewhere.
    func send(_ frames: [[UInt8]], flush: @Sendable () -> Void) async throws(TransportError) {
        switch add(frames) {
        case .taken: return
        case .flushNeeded: return flush()
        case .writeNow(let descriptor): return write(frames, to: descriptor, flush: flush)
        case .refused(let error): throw error
        case .full: break
        }
        let ticket = state.withLock { state in
            state.lastTicket &+= 1
            return state.lastTicket
        }
        let error = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let sender = WaitingSender(ticket: ticket, frames: frames, continuation: continuation)
                switch add(frames, orWait: sender) {
                case .taken:
                    continuation.resume(returning: nil)
                case .flushNeeded:
                    flush()
                    continuation.resume(returning: nil)
                case .writeNow(let descriptor):
                    write(frames, to: descriptor, flush: flush)
                    continuation.resume(returning: nil)
                case .refused(let error):
                    continuation.resume(returning: error)
                case .full:
                    if Task.isCancelled { cancel(ticket) }
                }
            }
        } onCancel: {
            cancel(ticket)
        }
        if let error { throw error }
    }

    /// Adds frames, whether there is room or not.
    func enqueue(_ frames: [[UInt8]], flush: @Sendable () -> Void) throws(TransportError) {
        switch add(frames, force: true) {
        case .taken, .full: return
        case .flushNeeded: flush()
        case .writeNow(let descriptor): write(frames, to: descriptor, flush: flush)
        case .refused(let error): throw error
        }
    }

    /// Whether there is no room.
    var isFull: Bool {
        state.withLock { isFull($0.size) }
    }

    private func isFull(_ size: Int) -> Bool {
        size >= limit || size > 0 && !budget.hasRoom
    }

    /// Tells the budget how much memory is taken now.
    private func count(_ state: inout State) {
        let capacity = state.capacity
        if capacity != state.counted { budget.add(capacity &- state.counted) }
        state.counted = capacity
    }

    private func add(_ frames: [[UInt8]], force: Bool = false, orWait sender: WaitingSender? = nil) -> Added {
        state.withLock { state in
            if let refusal = state.refusal { return .refused(refusal) }
            guard force || state.senders.isEmpty && !isFull(state.size) else {
                if let sender { state.senders.append(sender) }
                return .full
            }
            if frames.isEmpty { return .taken }
            // Once something is in flight, its completion looks for what came after it.
            let isIdle = !state.isFlushPromised && state.inFlight == 0 && state.pending == nil
            if isIdle, let descriptor = state.descriptor {
                state.inFlight = Self.size(of: frames)
                return .writeNow(descriptor)
            }
            append(frames, in: &state)
            count(&state)
            if state.isFlushPromised || state.inFlight > 0 { return .taken }
            state.isFlushPromised = true
            return .flushNeeded
        }
    }

    private static func size(of frames: [[UInt8]]) -> Int {
        frames.reduce(0) { $0 &+ FrameDecoder.headerSize &+ $1.count }
    }

    private func append(_ frames: [[UInt8]], in state: inout State) {
        var buffer = state.pending.take() ?? BufferPool.writing.take()
        Self.append(frames, to: &buffer)
        state.pending = buffer
    }

    private static func append(_ frames: [[UInt8]], to buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: size(of: frames))
        for frame in frames {
            buffer.writeInteger(UInt16(truncatingIfNeeded: frame.count))
            buffer.writeBytes(frame)
        }
    }

    // MARK: Writing on the sender's thread

    /// Writes frames that are in flight, and leaves the rest of them to the event loop.
    private func write(_ frames: [[UInt8]], to descriptor: SocketDescriptor, flush: () -> Void) {
        let size = Self.size(of: frames)
        var rest: ByteBuffer?
        if let frame = frames.first, frames.count == 1 {
            let written = descriptor.write(header: UInt16(truncatingIfNeeded: frame.count), payload: frame)
            if written < size {
                var buffer = BufferPool.writing.take()
                Self.append(frames, to: &buffer)
                buffer.moveReaderIndex(forwardBy: written)
                rest = buffer
            }
        } else {
            var buffer = BufferPool.writing.take()
            Self.append(frames, to: &buffer)
            buffer.moveReaderIndex(forwardBy: buffer.withUnsafeReadableBytes(descriptor.write))
            if buffer.readableBytes > 0 { rest = buffer } else { BufferPool.writing.give(buffer) }
        }
        finishWrite(leaving: rest, flush: flush)
    }

    private func finishWrite(leaving rest: ByteBuffer?, flush: () -> Void) {
        let (admitted, isFlushNeeded): ([WaitingSender], Bool) = state.withLock { state in
            state.inFlight = 0
            if var rest {
                if var after = state.pending.take() {
                    rest.writeBuffer(&after)
                    BufferPool.writing.give(after)
                }
                state.pending = rest
            }
            let admitted = admitSenders(in: &state)
            count(&state)
            // Whoever refused further frames meanwhile may be waiting for these to be out.
            let isFlushNeeded = !state.isFlushPromised && (state.pending != nil || state.refusal != nil)
            if isFlushNeeded { state.isFlushPromised = true }
            return (admitted, isFlushNeeded)
        }
        if isFlushNeeded { flush() }
        for sender in admitted { sender.continuation.resume(returning: nil) }
    }

    /// Lets senders write themselves.
    func attach(_ descriptor: SocketDescriptor?) {
        state.withLock { $0.descriptor = descriptor }
    }

    /// Stops that. The descriptor is closed when nobody is using it any more.
    func detach() {
        let descriptor = state.withLock { $0.descriptor.take() }
        withExtendedLifetime(descriptor) {}
    }

    private func admitSenders(in state: inout State) -> [WaitingSender] {
        var admitted: [WaitingSender] = []
        guard state.size <= lowWater else { return admitted }
        while !isFull(state.size), let sender = state.senders.popFirst() {
            if !sender.frames.isEmpty { append(sender.frames, in: &state) }
            admitted.append(sender)
        }
        return admitted
    }

    private func cancel(_ ticket: UInt64) {
        state.withLock { $0.senders.remove(ticket) }?.continuation.resume(returning: .cancelled)
    }

    // MARK: The writer, on its event loop

    /// Takes what is to be written next, if nothing is being written.
    func take() -> ByteBuffer? {
        state.withLock { state in
            state.isFlushPromised = false
            guard state.inFlight == 0, let buffer = state.pending.take() else { return nil }
            state.inFlight = buffer.readableBytes
            state.inFlightCapacity = buffer.capacity
            return buffer
        }
    }

    /// Says that what was taken has been written, and lets waiting senders in.
    ///
    /// - Returns: Whether there is more to take.
    func wrote() -> Bool {
        let (admitted, hasMore): ([WaitingSender], Bool) = state.withLock { state in
            state.inFlight = 0
            state.inFlightCapacity = 0
            let admitted = admitSenders(in: &state)
            count(&state)
            return (admitted, state.pending != nil)
        }
        for sender in admitted { sender.continuation.resume(returning: nil) }
        return hasMore
    }

    // MARK: Ending

    /// Refuses further frames, and those of senders that wait. What is in the buffer is kept.
    func refuse(_ error: TransportError) {
        let senders = state.withLock { state in
            if state.refusal == nil { state.refusal = error }
            return state.senders.removeAll()
        }
        for sender in senders { sender.continuation.resume(returning: error) }
    }

    /// Refuses further frames and drops those in the buffer.
    func fail(_ error: TransportError) {
        refuse(error)
        let dropped = state.withLock { state in
            defer { count(&state) }
            return state.pending.take()
        }
        if let dropped { BufferPool.writing.give(dropped) }
    }

    /// Whether everything was written.
    var isEmpty: Bool {
        state.withLock { $0.size == 0 }
    }
}
