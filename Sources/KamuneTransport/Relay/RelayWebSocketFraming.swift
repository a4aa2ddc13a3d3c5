internal import KamuneCrypto
internal import NIOCore
internal import NIOWebSocket

/// The frames of a relay's connection as binary messages of a WebSocket (RFC 6455), of which this is the client.
final class RelayWebSocketFraming: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = [UInt8]
    typealias OutboundIn = [UInt8]
    typealias OutboundOut = WebSocketFrame

    private let address: String
    private var random = SystemRandomSource()
    private var hasSentClose = false

    /// - Parameter address: The relay's, for people.
    init(address: String) {
        self.address = address
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary:
            context.fireChannelRead(wrapInboundOut([UInt8](frame.unmaskedData.readableBytesView)))
        case .ping:
            send(.pong, frame.unmaskedData, context, promise: nil)
        case .connectionClose:
            received(close: frame.unmaskedData, context)
        case .pong:
            break
        default:
            context.fireErrorCaught(TransportError.notARelay(address: address, reason: "a text instead of bytes"))
        }
    }

    /// The relay has closed. It says with which code, the highest byte first (RFC 6455, 5.5.1).
    private func received(close payload: ByteBuffer, _ context: ChannelHandlerContext) {
        if !hasSentClose {
            hasSentClose = true
            send(.connectionClose, payload, context, promise: nil)
        }
        if let code = payload.getInteger(at: payload.readerIndex, as: UInt16.self) {
            context.fireUserInboundEventTriggered(RelayCloseCode(value: code))
        }
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !hasSentClose else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        let buffer = context.channel.allocator.buffer(bytes: unwrapOutboundIn(data))
        context.write(wrapOutboundOut(frame(.binary, buffer)), promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        guard !hasSentClose else { return context.close(mode: .all, promise: promise) }
        hasSentClose = true
        // What the relay answers, or the end of its stream, ends the connection.
        send(.connectionClose, context.channel.allocator.buffer(integer: Self.normalClosure), context, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A stream that ends without a word of closing was cut (RFC 6455, 7.1.5); one with it is over for good.
        guard case .some(.inputClosed) = event as? ChannelEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        if !hasSentClose { context.fireErrorCaught(TransportError.reset) }
        context.close(promise: nil)
    }

    /// RFC 6455, 7.4.1.
    private static let normalClosure: UInt16 = 1_000

    private func send(
        _ opcode: WebSocketOpcode, _ payload: ByteBuffer, _ context: ChannelHandlerContext,
        promise: EventLoopPromise<Void>?
    ) {
        context.writeAndFlush(wrapOutboundOut(frame(opcode, payload)), promise: promise)
    }

    /// A frame with a mask of its own, as a client's must have (RFC 6455, 5.3).
    private func frame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: WebSocketMaskingKey(random.bytes(4)), data: payload)
    }
}

/// With which code a relay has closed its WebSocket.
struct RelayCloseCode {
    let value: UInt16

    /// What a relay of version 0.7 closes with when a client comes too often, or is too slow.
    static let policyViolation: UInt16 = 1_008
}
