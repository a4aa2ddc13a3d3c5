internal import KamuneRelayProtocol
internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket

/// Asks a relay's web server for a WebSocket, and reads the answer if that is no.
final class RelayUpgradeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Where a relay has its WebSocket.
    static let path = "/ws"

    let address: Address
    private let tls: RelayTLS?
    /// Told why there will be no WebSocket; `nil` when that was said, or there is one.
    private var onFailure: ((TransportError) -> Void)?

    /// - Parameter onFailure: Told, once, why there will be no WebSocket.
    init(to address: Address, tls: RelayTLS?, onFailure: @escaping (TransportError) -> Void) {
        self.address = address
        self.tls = tls
        self.onFailure = onFailure
    }

    /// Whoever speaks HTTP is done with it.
    func upgraded() {
        onFailure = nil
    }

    private func fail(_ error: TransportError, _ context: ChannelHandlerContext) {
        onFailure.take()?(error)
        context.close(promise: nil)
    }

    func channelActive(context: ChannelHandlerContext) {
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: Self.path, headers: ["Host": address.authority])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard onFailure != nil else { return context.fireChannelRead(data) }
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        let name = address.withoutToken
        fail(
            head.status == .tooManyRequests
                ? .relayRefused(address: name, .rateLimited)
                : .notARelay(address: name, reason: "HTTP status \(head.status.code)"), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard onFailure != nil else { return context.fireErrorCaught(error) }
        let name = address.withoutToken
        let isHTTP = error is HTTPParserError || error is NIOHTTPClientUpgradeError
        fail(
            isHTTP
                ? .notARelay(address: name, reason: "no WebSocket")
                : tls?.meaning(of: error, at: name) ?? TransportError(ofConnection: error), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.notARelay(address: address.withoutToken, reason: "it closed instead of opening a WebSocket"), context)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if onFailure != nil, case .some(.inputClosed) = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}

extension Channel {
    /// Sets up a channel to become a WebSocket's before it is active.
    ///
    /// - Parameter onUpgrade: Adds what frames are for.
    func prepareForWebSocket(_ request: RelayUpgradeHandler, onUpgrade: @escaping () throws -> Void) throws {
        let bound = NIOLoopBound((request, onUpgrade), eventLoop: eventLoop)
        let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: TransportConfiguration.frameSizeCeiling) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                bound.value.0.upgraded()
                // A message may come in pieces.
                try channel.pipeline.syncOperations.addHandler(
                    NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: Self.maximumPieces,
                        maxAccumulatedFrameSize: TransportConfiguration.frameSizeCeiling))
                try channel.pipeline.syncOperations.addHandler(
                    RelayWebSocketFraming(address: bound.value.0.address.withoutToken))
                try bound.value.1()
            }
        }
        try pipeline.syncOperations.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        try pipeline.syncOperations.addHandler(request)
    }

    /// In how many pieces a message may come.
    private static var maximumPieces: Int { 64 }
}
