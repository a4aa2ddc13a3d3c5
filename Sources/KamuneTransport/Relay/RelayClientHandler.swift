internal import KamuneCrypto
internal import KamuneRelayProtocol
internal import NIOCore

/// A client's end of its connection to a relay: performs what ``RelayClientMachine`` decides. Below it frames of that
/// connection go by, sealed; above it those of the session, as a stream that ``FrameChannelHandler`` cuts.
final class RelayClientHandler: ChannelDuplexHandler {
    typealias InboundIn = [UInt8]
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = [UInt8]

    /// What its owner is told.
    enum Event {
        /// The relay has consented.
        case registered(RelayFrame.Registered)
        /// The other client is there: its first message is about to go up. Who waits for it adds what takes it.
        case paired
        /// It has come to nothing, or is over. Said once, and last.
        case ended(TransportError)
    }

    private var machine: RelayClientMachine
    private var encapsulator = SystemEncapsulator()
    private let address: String
    private let hasKey: Bool
    private let tls: RelayTLS?
    private var owner: ((Event) -> Void)?
    private var hasBegun = false
    private var isPaired = false
    /// What has ended it, if that is known already.
    private var failure: TransportError?
    /// What goes up with the end of this read.
    private var upward: ByteBuffer?
    private var keepAlive: RelayKeepAlive
    private var wakeUp: Scheduled<Void>?
    private let begun = NIODeadline.now()

    /// - Parameters:
    ///   - address: The relay's, for people; without the token.
    ///   - owner: Told what happens, on the event loop.
    init(
        _ wish: RelayClientMachine.Wish, address: String, tls: RelayTLS?, owner: @escaping (Event) -> Void
    ) throws(TransportError) {
        var random = SystemRandomSource()
        do throws(RelayClientMachine.Failure) {
            machine = try RelayClientMachine(wish, using: &random)
        } catch {
            throw TransportError(error, address: address)
        }
        self.address = address
        self.tls = tls
        self.owner = owner
        hasKey = wish.key != nil
        keepAlive = RelayKeepAlive(at: .zero)
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard !hasBegun else { return }
        hasBegun = true
        context.writeAndFlush(wrapOutboundOut(machine.hello), promise: nil)
        schedule(RelayKeepAlive.interval, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(tls?.meaning(of: error, at: address) ?? TransportError(ofConnection: error), context)
    }

    /// The owner is told no more: something else has taken over.
    func release() {
        owner = nil
    }

    private func end() {
        wakeUp?.cancel()
        wakeUp = nil
        let silent: TransportError = machine.isRegistered ? .reset : .relayClosed(address: address, hasKey: hasKey)
        owner.take()?(.ended(failure ?? silent))
    }

    private func fail(_ error: TransportError, _ context: ChannelHandlerContext) {
        if failure == nil { failure = error }
        // What came before it is received first.
        passUp(context)
        // To whoever is above, if anybody is yet.
        context.fireErrorCaught(failure ?? error)
        if owner != nil { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let code = event as? RelayCloseCode {
            if code.value == RelayCloseCode.policyViolation, !machine.isRegistered {
                failure = failure ?? .relayRefused(address: address, .rateLimited)
            }
        } else if case .some(.inputClosed) = event as? ChannelEvent, owner != nil {
            // Nobody above takes an end yet.
            context.close(promise: nil)
        } else {
            // The end may come in the same read as what is before it.
            passUp(context)
            context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // After a failure nothing more is believed.
        guard failure == nil else { return }
        keepAlive.heard(at: now)
        let actions: [RelayClientMachine.Action]
        do throws(RelayClientMachine.Failure) {
            actions = try machine.received(unwrapInboundIn(data), using: &encapsulator)
        } catch {
            return fail(TransportError(error, address: address), context)
        }
        for action in actions {
            switch action {
            case .send(let frame): context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
            case .registered(let registered): owner?(.registered(registered))
            case .message(let data): take(data, context)
            }
        }
    }

    private func take(_ message: ArraySlice<UInt8>, _ context: ChannelHandlerContext) {
        if !isPaired {
            isPaired = true
            owner?(.paired)
        }
        var buffer = upward.take() ?? BufferPool.reading.take()
        // A relay's frame is smaller than the length can say.
        buffer.writeInteger(UInt16(clamping: message.count))
        buffer.writeBytes(message)
        upward = buffer
        if buffer.readableBytes >= BufferPool.bufferCapacity / 2 { passUp(context) }
    }

    private func passUp(_ context: ChannelHandlerContext) {
        guard let buffer = upward.take() else { return }
        context.fireChannelRead(wrapInboundOut(buffer))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        passUp(context)
        context.fireChannelReadComplete()
    }

    // MARK: Writing

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var buffer = unwrapOutboundIn(data)
        do throws(RelayProtocolError) {
            // Whole frames, as the outbox has them.
            while let length = buffer.readInteger(as: UInt16.self), let frame = buffer.readSlice(length: Int(length)) {
                let sealed = try machine.seal(message: frame.readableBytesView)
                context.write(wrapOutboundOut(sealed), promise: buffer.readableBytes == 0 ? promise : nil)
            }
        } catch {
            promise?.fail(TransportError(.misbehaved(error), address: address))
        }
    }

    // MARK: Time

    private var now: Duration { .nanoseconds((NIODeadline.now() - begun).nanoseconds) }

    private func schedule(_ time: Duration, _ context: ChannelHandlerContext) {
        let bound = context.loopBound
        wakeUp = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(clamping: time - now)) {
            self.look(bound.value)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        switch keepAlive.look(at: now) {
        case .wait(let next): schedule(next, context)
        case .giveUp: fail(.timedOut(.read), context)
        case .ping(let next):
            if machine.isRegistered, let ping = try? machine.ping() {
                context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
            }
            schedule(next, context)
        }
    }
}

extension TransportError {
    /// Why a client's wish came to nothing.
    init(_ failure: RelayClientMachine.Failure, address: String) {
        self =
            switch failure {
            case .refused(let reason): .relayRefused(address: address, reason)
            case .misbehaved(let error): .notARelay(address: address, reason: "\(error)")
            }
    }
}
