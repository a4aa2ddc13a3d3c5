import ArgumentParser
import Kamune
import KamuneTransport

/// How the measuring programs make connections: as the library does, but with the choices of UDP.
struct ProbeTransport: ParsableArguments {
    @Argument(help: "host:port, or udp://host:port.")
    var address: String

    @Option(help: "The congestion control of UDP: rate-based, cubic or new-reno.")
    var congestion: String?

    @Flag(help: "Whether UDP sends more than needed to be faster.")
    var turbo = false

    func validate() throws {
        if let congestion, CongestionControl(rawValue: congestion) == nil {
            throw ValidationError("--congestion takes one of \(CongestionControl.allCases.map(\.rawValue)).")
        }
    }

    private var options: UDPOptions {
        var options = UDPOptions()
        if let congestion = congestion.flatMap(CongestionControl.init) { options.congestion = congestion }
        options.isTurbo = turbo
        return options
    }

    /// Somebody who talks with anybody, and has the patience that the worst links need.
    static func endpoint() throws -> Endpoint {
        var configuration = Configuration()
        configuration.handshakeTimeout = .seconds(60)
        return Endpoint(
            identity: try .generate(.ed25519), name: "probe", verifier: .anyone, configuration: configuration)
    }

    private var configuration: TransportConfiguration {
        var configuration = TransportConfiguration()
        configuration.dialTimeout = .seconds(60)
        return configuration
    }

    func connect() async throws -> any Connection {
        let address = try Address(parsing: address)
        return switch address.scheme {
        case .tcp: try await TCPTransport.connect(to: address, configuration: configuration)
        case .udp: try await UDPTransport.connect(to: address, configuration: configuration, options: options)
        case .relayTCP, .relayTLS, .relayWebSocket, .relaySecureWebSocket:
            try await RelayTransport.connect(to: address, configuration: configuration)
        }
    }

    func listen() async throws -> any ConnectionListener {
        let address = try Address(parsing: address)
        return switch address.scheme {
        case .tcp: try await TCPTransport.listen(on: address, configuration: configuration)
        case .udp: try await UDPTransport.listen(on: address, configuration: configuration, options: options)
        case .relayTCP, .relayTLS, .relayWebSocket, .relaySecureWebSocket:
            try await RelayTransport.listen(at: address, configuration: configuration)
        }
    }
}
