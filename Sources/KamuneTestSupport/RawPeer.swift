import KamuneSystem
import Synchronization

/// A peer who speaks TCP but keeps to no protocol: a plain socket, whose calls block only for what is there already.
package final class RawPeer: Sendable {
    private let descriptor: CInt
    private let isOpen = Atomic(true)

    /// Connects to a listener on the loopback interface. The system accepts, whether the listener does or not.
    package convenience init?(port: UInt16) {
        self.init()
        guard connect(to: port) else { return nil }
    }

    /// A socket that is connected later.
    package init?() {
        descriptor = socket(AF_INET, SocketType.stream, 0)
        guard descriptor >= 0 else { return nil }
    }

    /// - Returns: Whether it succeeded; if not, the socket is closed.
    package func connect(to port: UInt16) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Self.connect(descriptor, $0)
            }
        }
        if result != 0 { hangUp() }
        return result == 0
    }

    private static func connect(_ descriptor: CInt, _ address: UnsafePointer<sockaddr>) -> CInt {
        KamuneSystem.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size))
    }

    deinit {
        hangUp()
    }

    /// Sends bytes, all of which must fit into the system's buffers.
    package func write(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Self.flags) } == bytes.count
    }

    /// Waits for so many bytes, or the end.
    package func read(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var piece = [UInt8](repeating: 0, count: count - bytes.count)
            let length = recv(descriptor, &piece, piece.count, 0)
            guard length > 0 else { break }
            bytes += piece[..<length]
        }
        return bytes
    }

    /// Ends our direction.
    package func finish() {
        shutdown(descriptor, CInt(SHUT_WR))
    }

    /// Breaks the connection.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        hangUp()
    }

    /// Closes the socket.
    package func hangUp() {
        if isOpen.exchange(false, ordering: .relaxed) { _ = close(descriptor) }
    }

    private static var flags: CInt { SendFlags.withoutWaiting | SendFlags.withoutSignal }
}

/// A port of the loopback interface that nobody listens on, and nobody else gets while this lives.
package final class ClosedPort: Sendable {
    package let port: UInt16
    private let descriptor: CInt

    package init?() {
        let descriptor = socket(AF_INET, SocketType.stream, 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | getsockname(descriptor, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        if result != 0 { return nil }
    }

    deinit {
        _ = close(descriptor)
    }
}
