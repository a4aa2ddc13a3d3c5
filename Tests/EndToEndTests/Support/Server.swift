import Foundation
import KamuneSystem

/// A TCP server that is no kamune: it does to whoever connects what a test says.
final class Server: Sendable {
    /// What it does.
    enum Behavior: Sendable {
        /// Takes the connection, and says nothing.
        case silent
        /// Sends bytes.
        case says([UInt8])
        /// Hangs up.
        case hangsUp
    }

    let port: UInt16
    private let descriptor: Int32

    init(_ behavior: Behavior) throws {
        let descriptor = try Self.listen()
        self.descriptor = descriptor
        port = Self.port(of: descriptor)
        if case .silent = behavior { return }
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { break }
                if case .says(let bytes) = behavior {
                    _ = bytes.withUnsafeBytes { systemWrite(connection, $0) }
                    // Until the other side hangs up, so that what was said is read first.
                    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4_096, alignment: 1)
                    while systemRead(connection, buffer) > 0 {}
                    buffer.deallocate()
                }
                close(connection)
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    var address: String { "127.0.0.1:\(port)" }

    /// A frame as the protocol has it: two bytes of length, then contents.
    static func frame(_ contents: [UInt8]) -> [UInt8] {
        [UInt8(contents.count >> 8), UInt8(contents.count & 0xff)] + contents
    }

    static func listen() throws -> Int32 {
        let descriptor = socket(AF_INET, SocketType.stream, 0)
        var address = loopback(port: 0)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let listening = systemListen(descriptor, 16)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard descriptor >= 0, code == 0, listening == 0 else { throw POSIXError(.EADDRINUSE) }
        return descriptor
    }

    static func port(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// A connection to a port; nil when nobody listens there.
    static func connect(to port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, SocketType.stream, 0)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = loopback(port: port)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                systemConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Connects to a port, says something, and hangs up when the other side does.
    static func shout(_ bytes: [UInt8], at port: UInt16) {
        guard let descriptor = connect(to: port) else { return }
        defer { close(descriptor) }
        _ = bytes.withUnsafeBytes { systemWrite(descriptor, $0) }
        shutdown(descriptor, Int32(SHUT_WR))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4_096, alignment: 1)
        while systemRead(descriptor, buffer) > 0 {}
        buffer.deallocate()
    }
}
