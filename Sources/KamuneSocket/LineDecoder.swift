import NIOCore

/// What comes over a socket of lines.
package enum Line: Sendable, Equatable {
    /// A line, without its line feed.
    case bytes([UInt8])
    /// A line that was longer than may be, and was thrown away.
    case tooLong
}

/// Cuts what comes into lines. One that is too long is thrown away as it comes, so that it takes no memory.
struct LineDecoder: ByteToMessageDecoder {
    typealias InboundOut = Line

    private let limit: Int
    /// How much of the buffer was looked through in vain.
    private var searched = 0
    private var isSkipping = false

    init(limit: Int) {
        self.limit = limit
    }

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        let view = buffer.readableBytesView
        if let end = view.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) {
            let length = end - view.startIndex
            searched = 0
            let line = buffer.readBytes(length: length) ?? []
            buffer.moveReaderIndex(forwardBy: 1)
            if isSkipping || length > limit {
                isSkipping = false
                context.fireChannelRead(wrapInboundOut(.tooLong))
            } else {
                context.fireChannelRead(wrapInboundOut(.bytes(line)))
            }
            return .continue
        }
        if view.count > limit {
            isSkipping = true
            buffer.clear()
            searched = 0
        } else {
            searched = view.count
        }
        return .needMoreData
    }

    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        // What has no end is nothing that anybody has asked for.
        while try decode(context: context, buffer: &buffer) == .continue {}
        buffer.clear()
        return .needMoreData
    }
}
