internal import NIOCore

/// Cuts a stream into the frames of a relay's connection, and puts their lengths before them: over TCP and TLS.
final class RelayStreamFraming: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = [UInt8]
    typealias OutboundIn = [UInt8]
    typealias OutboundOut = ByteBuffer

    private var decoder = FrameDecoder(maximumFrameSize: TransportConfiguration.frameSizeCeiling)

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        var frames: [[UInt8]] = []
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(TransportError) in try decoder.decode(bytes, into: &frames) }
        }
        BufferPool.reading.give(buffer)
        for frame in frames { context.fireChannelRead(wrapInboundOut(frame)) }
        if case .failure(let error) = result { context.fireErrorCaught(error) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = unwrapOutboundIn(data)
        var buffer = context.channel.allocator.buffer(capacity: FrameDecoder.headerSize + frame.count)
        // What is sealed fits: the machine refuses what does not.
        buffer.writeInteger(UInt16(clamping: frame.count))
        buffer.writeBytes(frame)
        context.write(wrapOutboundOut(buffer), promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent, decoder.isMidFrame {
            context.fireErrorCaught(TransportError.endedMidFrame)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
