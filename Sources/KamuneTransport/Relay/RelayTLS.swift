internal import KamuneCrypto
internal import NIOCore
internal import NIOSSL

/// TLS towards a relay.
struct RelayTLS: Sendable {
    private let context: NIOSSLContext
    private let host: String
    private let check: RelayOptions.CertificateCheck

    /// Made once, since it reads the system's authorities.
    private static let checking = Result { try makeContext(.fullVerification) }
    private static let trusting = Result { try makeContext(.none) }

    private static func makeContext(_ verification: CertificateVerification) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = verification
        configuration.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: configuration)
    }

    /// - Throws: ``TransportError/system(code:reason:)`` when the library or the system's authorities are not to be had.
    init(to address: Address) throws(TransportError) {
        host = address.host
        check = address.relay.certificate
        do {
            context = try (check == .none ? Self.trusting : Self.checking).get()
        } catch {
            throw .system(code: 0, reason: "\(error)")
        }
    }

    /// Adds TLS to a channel's pipeline.
    func add(to channel: any Channel) throws {
        // An IP address is no name of a server (RFC 6066, 3); the certificate is then judged by the address itself.
        let name = (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
        let handler: NIOSSLClientHandler
        switch check {
        case .none, .authorities:
            handler = try NIOSSLClientHandler(context: context, serverHostname: name)
        case .pinned(let pin):
            handler = try NIOSSLClientHandler(
                context: context, serverHostname: name,
                customVerificationCallback: { chain, promise in
                    promise.succeed(chain.first.flatMap(Self.hash) == pin ? .certificateVerified : .failed)
                })
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    private static func hash(_ certificate: NIOSSLCertificate) -> [UInt8]? {
        (try? certificate.toDERBytes()).map { SHA256Digest.hash($0) }
    }

    /// What an error of TLS means; `nil` for another one.
    func meaning(of error: any Error, at address: String) -> TransportError? {
        let rejected = TransportError.certificateRejected(address: address, isPinned: check != .authorities)
        if error is NIOSSLExtraError { return rejected }
        guard case .some(.handshakeFailed(let failure)) = error as? NIOSSLError else { return nil }
        let text = "\(failure)"
        return text.contains("CERTIFICATE_VERIFY_FAILED") ? rejected : .notARelay(address: address, reason: text)
    }
}
