import Dispatch
import KamuneSystem
import Synchronization

/// Somebody who sends datagrams that keep to no protocol: a plain UDP socket.
package final class RawDatagrams: Sendable {
    /// The port that it has.
    package let port: UInt16
    private let descriptor: CInt
    private let target: Mutex<sockaddr_in>

    /// Somebody who is to be talked to: datagrams go to whoever sent the last one.
    package convenience init?() {
        self.init(to: 0)
    }

    /// - Parameters:
    ///   - host: The last three numbers of the loopback address to send from. Only Linux has more than 127.0.0.1.
    ///   - port: Where to send to.
    ///   - target: The last three numbers of the loopback address to send to.
    ///   - isPicky: Whether only datagrams from there are received.
    package init?(from host: UInt32 = 1, to port: UInt16, at target: UInt32 = 1, isPicky: Bool = false) {
        let descriptor = socket(AF_INET, SocketType.datagram, 0)
        self.descriptor = descriptor
        self.target = Mutex(Self.address(0x7F00_0000 | target, port))
        var address = Self.address(0x7F00_0000 | host, 0)
        var remote = Self.address(0x7F00_0000 | target, port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var isReady = descriptor >= 0
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                isReady = isReady && bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        if isPicky {
            withUnsafePointer(to: &remote) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    isReady = isReady && systemConnect(descriptor, $0, length) == 0
                }
            }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        if !isReady { return nil }
    }

    deinit {
        if descriptor >= 0 { _ = close(descriptor) }
    }

    /// Sends a datagram. One that the system does not take is lost, as datagrams may be.
    @discardableResult
    package func send(_ datagram: [UInt8]) -> Bool {
        var address = target.withLock { $0 }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        } == datagram.count
    }

    /// The next datagram that has arrived, if one has.
    package func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var sender = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &sender) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT), $0, &length)
            }
        }
        guard count >= 0 else { return nil }
        target.withLock { $0 = sender }
        return Array(bytes[..<count])
    }

    /// The next datagram, waiting for it; nil after half a minute without one.
    package func next() async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [self] in
                var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&entry, 1, 30_000)
                continuation.resume(returning: receive())
            }
        }
    }

    private static func address(_ host: UInt32, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        return address
    }
}
