internal import NIOCore

extension Address {
    /// The address of a socket's end. IPv4 addresses on an IPv6 socket (RFC 4291, 2.5.5.2) appear as IPv4.
    init(_ socketAddress: SocketAddress) {
        let mappedPrefix = "::ffff:"
        var host = socketAddress.ipAddress ?? ""
        if host.hasPrefix(mappedPrefix), host.contains(".") { host.removeFirst(mappedPrefix.count) }
        self.init(scheme: .tcp, host: host, port: socketAddress.port.flatMap(UInt16.init(exactly:)) ?? 0)
    }
}
