internal import NIOCore

/// Our end of a connection, on its event loop: cuts what its carrier brings into frames for the pipe, watches the limits
/// of time, and knows how far closing has come.
///
/// Whoever is elsewhere talks to the pipe and the outbox, and only asks the end to flush, to read on, or to close.
final class ConnectionEnd {
    /// How far our direction of the stream has come.
    private enum Output {
        case open
        /// What is in the outbox goes out, and then the end of the stream.
        case finishing
        /// The end of the stream is out.
        case finished
    }

    private enum Life {
        case open
        /// What still arrives is dropped; but it is read, until the peer's stream ends, since the system would answer it by
        /// a reset that overtakes our last frames.
        case closing
        /// The carrier is gone.
        case ended
    }

    let eventLoop: any EventLoop
    let configuration: TransportConfiguration
    let budget: MemoryBudget
    let inbound: FramePipe
    let outbound: Outbox

    private var carrier: (any FrameCarrier)?
    private var decoder: FrameDecoder
    private var output = Output.open
    private var life = Life.open
    /// Whether the pipe is full.
    private(set) var isReadPaused = false
    private var closers: [OneShot<Void>] = []
    private var closeDeadline: Scheduled<Void>?
    private let timer: TransportTimer
    private let readTimeout: TimeAmount
    private let writeTimeout: TimeAmount
    /// Who is told when the peer seems to be gone, and when it is back; `nil` while nobody wants to know.
    private(set) var doubtObserver: ((Bool) -> Void)?
    /// What the budget was told of a frame that has arrived in part.
    private var partialSize = 0

    /// - Parameter isAccepted: Whether the peer has connected to us, and so counts among the strangers.
    init(eventLoop: any EventLoop, configuration: TransportConfiguration, isAccepted: Bool) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        budget = configuration.budget(isAccepted: isAccepted)
        inbound = FramePipe(limit: configuration.inboundBufferLimit, budget: budget)
        outbound = Outbox(limit: configuration.outboundBufferLimit, budget: budget)
        decoder = FrameDecoder(maximumFrameSize: configuration.maximumFrameSize)
        timer = TransportTimer(eventLoop: eventLoop)
        readTimeout = TimeAmount(clamping: configuration.readTimeout)
        writeTimeout = TimeAmount(clamping: configuration.writeTimeout)
    }

    // MARK: The carrier

    /// Frames can be carried from now on.
    func start(_ carrier: any FrameCarrier) {
        self.carrier = carrier
        guard configuration.readTimeout != nil || configuration.writeTimeout != nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer.start(after: min(readTimeout, writeTimeout)) { now in bound.value.look(at: now) }
    }

    /// Another carrier goes on from here, with everything that was taken from the outbox.
    func handOver(to carrier: any FrameCarrier) {
        if self.carrier != nil { self.carrier = carrier }
    }

    /// Takes in bytes of the peer's stream. What follows the last that was wanted is dropped.
    func received(_ bytes: UnsafeRawBufferPointer) {
        guard case .open = life else { return }
        var frames: [[UInt8]] = []
        let result = Result { () throws(TransportError) in try decoder.decode(bytes, into: &frames) }
        let partial = decoder.held
        if partial != partialSize {
            budget.add(partial - partialSize)
            partialSize = partial
        }
        if !frames.isEmpty, !inbound.offer(frames) { isReadPaused = true }
        if case .failure(let error) = result { fail(error) }
    }

    /// The peer's stream has ended, and will bring nothing more.
    func inputEnded() {
        if case .open = life, decoder.isMidFrame {
            fail(.endedMidFrame)
        } else {
            inbound.finish(refusing: .closedLocally)
            // What may still come is dropped by the pipe.
            isReadPaused = false
        }
    }

    /// Whether our stream is to end when everything is out.
    var isFinishing: Bool {
        if case .finishing = output { true } else { false }
    }

    /// Whether the end of our stream is out.
    var isFinished: Bool {
        if case .finished = output { true } else { false }
    }

    /// Everything is out.
    ///
    /// - Parameter sendEnd: Sends the end of our stream.
    func finishOutput(_ sendEnd: () -> Void = {}) {
        guard case .finishing = output else { return }
        output = .finished
        sendEnd()
        if case .closing = life { closedOutput() }
    }

    /// The carrier has ended, and is not used any more.
    ///
    /// - Parameter error: What those learn who still count on it, unless they know better already.
    func carrierEnded(_ error: TransportError) {
        guard life != .ended else { return }
        life = .ended
        carrier = nil
        doubtObserver = nil
        timer.stop()
        closeDeadline?.cancel()
        closeDeadline = nil
        budget.remove(partialSize)
        partialSize = 0
        // Sending fails before the receiver learns of it, who may be about to send.
        outbound.fail(error)
        inbound.fail(error)
        outbound.detach()
        resolveClosers()
    }

    /// The same, of a carrier that ends without notice when both directions have: any other ending than that has been
    /// reported as an error before.
    func carrierDisconnected() {
        if isFinished, !decoder.isMidFrame { inbound.finish(refusing: .closedLocally) }
        carrierEnded(decoder.isMidFrame ? .endedMidFrame : .reset)
    }

    /// Something has broken the connection.
    func fail(_ error: TransportError) {
        outbound.fail(error)
        inbound.fail(error)
        breakOff()
    }

    // MARK: The handle

    /// Sends what is in the outbox.
    func flush() {
        carrier?.flush()
    }

    /// The pipe has room again.
    func readOn() {
        guard isReadPaused else { return }
        isReadPaused = false
        carrier?.readOn()
    }

    /// Tells from now on when the peer seems to be gone, and when it is back.
    func observeDoubt(_ observer: @escaping (Bool) -> Void) {
        guard life != .ended else { return }
        doubtObserver = observer
        flush()
    }

    /// Ends our direction of the stream when everything is out.
    func finishSending() {
        guard case .open = output else { return }
        output = .finishing
        flush()
    }

    /// Closes when everything is out. The closer is told when our end of the stream is.
    func close(_ closer: OneShot<Void>) {
        closers.append(closer)
        switch life {
        case .open:
            life = .closing
            readOn()
            breakOff(after: TimeAmount(clamping: configuration.closeTimeout))
            if isFinished { closedOutput() } else { finishSending() }
        case .closing:
            if isFinished { resolveClosers() }
        case .ended:
            resolveClosers()
        }
    }

    /// Nobody refers to the connection any more. If it was not closed, that ends it.
    func drop() {
        if case .open = life { breakOff() }
    }

    /// Ends the connection at once.
    func breakOff() {
        carrier?.breakOff()
    }

    private func closedOutput() {
        resolveClosers()
        if let lingering = carrier?.lingering { breakOff(after: lingering) }
    }

    private func breakOff(after time: TimeAmount) {
        closeDeadline?.cancel()
        closeDeadline = eventLoop.assumeIsolated().scheduleTask(in: time) { self.breakOff() }
    }

    private func resolveClosers() {
        for closer in closers { closer.resolve(.success(())) }
        closers = []
    }

    // MARK: Time

    /// Ends waits that have lasted too long, and says when to look again.
    private func look(at now: NIODeadline) -> NIODeadline? {
        guard case .open = life else { return nil }
        let readDeadline = (inbound.receiverWaitingSince ?? now) + readTimeout
        if readDeadline <= now {
            fail(.timedOut(.read))
            return nil
        }
        let writeDeadline = (carrier?.stalledSince(now) ?? now) + writeTimeout
        if writeDeadline <= now {
            fail(.timedOut(.write))
            return nil
        }
        return min(readDeadline, writeDeadline)
    }
}
