import KamuneSystem

/// Somebody who sends datagrams that keep to no protocol: a plain UDP socket.
package final class RawDatagrams: Sendable {
    private let descriptor: CInt
    private let port: UInt16

    /// - Parameters:
    ///   - host: The last three numbers of the loopback address to send from. Only Linux has more than 127.0.0.1.
    ///   - port: Where to send to, on 127.0.0.1.
    package init?(from host: UInt32 = 1, to port: UInt16) {
        descriptor = socket(AF_INET, SocketType.datagram, 0)
        self.port = port
        guard descriptor >= 0 else { return nil }
        var address = Self.address(0x7F00_0000 | host, 0)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            _ = close(descriptor)
            return nil
        }
    }

    deinit {
        _ = close(descriptor)
    }

    /// Sends a datagram. One that the system does not take is lost, as datagrams may be.
    @discardableResult
    package func send(_ datagram: [UInt8]) -> Bool {
        var address = Self.address(0x7F00_0001, port)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        } == datagram.count
    }

    /// The next datagram that has arrived, if one has.
    package func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        return count >= 0 ? Array(bytes[..<count]) : nil
    }

    private static func address(_ host: UInt32, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        return address
    }
}
