#if canImport(Glibc)
import Foundation
import KamuneSystem

/// A TUN device: what the kernel routes to it can be read here, and what is written here arrives in the kernel as if from
/// a network. Packets are whole IP packets (kernel documentation, networking/tuntap).
final class TunnelDevice {
    let name: String
    let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)

    // From linux/if_tun.h, which Swift does not see.
    private static let setInterface: UInt = 0x4004_54ca
    private static let tunMode: Int16 = 0x0001
    private static let withoutPacketInformation: Int16 = 0x1000

    /// Makes the device in this process's network namespace. It goes when the object does, wherever it is by then.
    init(name: String) throws {
        let descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw POSIXFailure("opening /dev/net/tun") }
        // struct ifreq: the name in 16 bytes, then the flags.
        var request = [UInt8](repeating: 0, count: MemoryLayout<ifreq>.size)
        for (index, byte) in name.utf8.prefix(15).enumerated() { request[index] = byte }
        let flags = Self.tunMode | Self.withoutPacketInformation
        request.withUnsafeMutableBytes { $0.storeBytes(of: flags, toByteOffset: 16, as: Int16.self) }
        let code = request.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { ioctl(descriptor, Self.setInterface, $0) } ?? -1
        }
        guard code == 0 else {
            let failure = POSIXFailure("making a TUN device")
            close(descriptor)
            throw failure
        }
        self.name = name
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// The next packet from the kernel, if there is one.
    func read() -> [UInt8]? {
        let count = systemRead(descriptor, buffer)
        return count > 0 ? [UInt8](buffer[..<count]) : nil
    }

    /// Gives the kernel a packet.
    ///
    /// - Returns: Whether it took it.
    func write(_ packet: [UInt8]) -> Bool {
        packet.withUnsafeBytes { systemWrite(descriptor, $0) } == packet.count
    }
}

/// A system call that failed.
struct POSIXFailure: Error, CustomStringConvertible {
    let description: String

    init(_ action: String) {
        let code = errno
        description = "\(action): \(String(cString: strerror(code)))"
    }
}
#endif
