import KamuneTransport
import Testing

/// Two ends of a real connection over the loopback interface.
func tcpPair(
    _ configuration: TransportConfiguration = TransportConfiguration(), host: String = "127.0.0.1"
) async throws -> (any Connection, any Connection) {
    let listener = try await TCPTransport.listen(on: Address(host: host, port: 0), configuration: configuration)
    async let accepted = listener.accept()
    let dialed = try await TCPTransport.connect(to: listener.localAddress, configuration: configuration)
    let other = try #require(await accepted)
    await listener.close()
    return (dialed, other)
}
