/// An IP address of one of this machine's network interfaces.
package struct SystemInterfaceAddress: Hashable, Sendable {
    /// The interface's name.
    package let interface: String
    /// Whether the interface is on and has a link.
    package let isRunning: Bool
    /// The address in its usual form, without a zone.
    package let address: String
}

/// The IP addresses of all interfaces of this machine, as the system lists them; none when it does not say.
package func systemInterfaceAddresses() -> [SystemInterfaceAddress] {
    /// `IFF_UP` and `IFF_RUNNING`, the same on Linux and macOS.
    let running: UInt32 = 0x1 | 0x40
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var addresses: [SystemInterfaceAddress] = []
    var next = list
    while let entry = next?.pointee {
        next = entry.ifa_next
        guard let socketAddress = entry.ifa_addr, let text = addressText(socketAddress) else { continue }
        addresses.append(
            SystemInterfaceAddress(
                interface: String(cString: entry.ifa_name), isRunning: UInt32(entry.ifa_flags) & running == running,
                address: text))
    }
    return addresses
}

private func addressText(_ address: UnsafeMutablePointer<sockaddr>) -> String? {
    /// Where the host stands in a socket address (RFC 3493, section 3.3).
    let (place, family): (Int, Int32)
    switch Int32(address.pointee.sa_family) {
    case AF_INET: (place, family) = (4, AF_INET)
    case AF_INET6: (place, family) = (8, AF_INET6)
    default: return nil
    }
    // The longest form of an IPv6 address, and a zero byte (INET6_ADDRSTRLEN).
    var text = [CChar](repeating: 0, count: 46)
    guard inet_ntop(family, UnsafeRawPointer(address) + place, &text, socklen_t(text.count)) != nil else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A socket that has something to read whenever an interface of this machine, or one of its addresses, has changed; what it
/// says is to be read away. It does not wait, and does not survive into another program.
package func systemNetworkChangeSocket() throws(SystemError) -> Int32 {
    #if os(Linux)
    // As <linux/netlink.h> and <linux/rtnetlink.h> have them, which not every C library brings to Swift.
    let (family, route): (Int32, Int32) = (16, 0)
    let groups: UInt32 = 0x1 | 0x10 | 0x100
    // SOCK_RAW, SOCK_CLOEXEC and SOCK_NONBLOCK.
    let descriptor = socket(family, 3 | 0o2_000_000 | 0o4_000, route)
    guard descriptor >= 0 else { throw SystemError() }
    // struct sockaddr_nl: the family, two bytes of nothing, who it is (the kernel chooses), and which groups.
    var address = [UInt32](repeating: 0, count: 3)
    withUnsafeMutableBytes(of: &address[0]) { $0.storeBytes(of: UInt16(family), as: UInt16.self) }
    address[2] = groups
    let result = address.withUnsafeBytes { bytes -> Int32 in
        guard let base = bytes.baseAddress else { return -1 }
        return bind(descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard result == 0 else {
        let error = SystemError()
        systemClose(descriptor)
        throw error
    }
    return descriptor
    #else
    let descriptor = socket(PF_ROUTE, SOCK_RAW, 0)
    guard descriptor >= 0 else { throw SystemError() }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    return descriptor
    #endif
}
