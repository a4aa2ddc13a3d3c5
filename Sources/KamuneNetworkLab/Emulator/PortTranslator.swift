/// A NAT between the two hosts, as far as UDP ports go (RFC 4787): the second host sees the first one's datagrams come from
/// ports that the NAT has chosen, and only what it sends there comes back. A NAT that is restarted, or whose memory ran out,
/// chooses others.
///
/// Host addresses stay as they are, and so does all that is not UDP.
struct PortTranslator {
    /// What is forgotten first when there is no end of ports.
    private static let capacity = 4_096
    /// Ports for private use (RFC 6335, section 6).
    private static let firstPort: UInt16 = 49_152

    private var outside: [UInt16: UInt16] = [:]
    private var inside: [UInt16: UInt16] = [:]
    private var next = firstPort

    /// Forgets who has which port.
    mutating func forget() {
        outside = [:]
        inside = [:]
    }

    /// Translates a packet of the first host.
    mutating func outgoing(_ packet: inout [UInt8]) {
        guard let header = Self.datagramHeader(in: packet) else { return }
        let port = Self.value(in: packet, at: header)
        Self.replace(at: header, in: &packet, by: outsidePort(of: port), header: header)
    }

    /// Translates a packet of the second host.
    ///
    /// - Returns: Whether it passes.
    func incoming(_ packet: inout [UInt8]) -> Bool {
        guard let header = Self.datagramHeader(in: packet) else { return true }
        guard let port = inside[Self.value(in: packet, at: header + 2)] else { return false }
        Self.replace(at: header + 2, in: &packet, by: port, header: header)
        return true
    }

    private mutating func outsidePort(of port: UInt16) -> UInt16 {
        if let known = outside[port] { return known }
        if outside.count >= Self.capacity { forget() }
        outside[port] = next
        inside[next] = port
        defer { next = next == .max ? Self.firstPort : next + 1 }
        return next
    }

    // MARK: Packets

    /// Where the header of UDP begins; `nil` if the packet has none.
    private static func datagramHeader(in packet: [UInt8]) -> Int? {
        let udp: UInt8 = 17
        let start: Int
        switch packet.first.map({ $0 >> 4 }) {
        // Without options before it, and not a later fragment: nothing here sends such.
        case 4 where packet.count >= 28 && packet[9] == udp && packet[6] & 0x1F == 0 && packet[7] == 0:
            start = Int(packet[0] & 0x0F) * 4
        case 6 where packet.count >= 48 && packet[6] == udp:
            start = 40
        default:
            return nil
        }
        return packet.count >= start + 8 ? start : nil
    }

    private static func value(in packet: [UInt8], at offset: Int) -> UInt16 {
        UInt16(packet[offset]) << 8 | UInt16(packet[offset + 1])
    }

    /// Replaces a port, and corrects the checksum, which covers it (RFC 1624, equation 3).
    private static func replace(at offset: Int, in packet: inout [UInt8], by port: UInt16, header: Int) {
        let old = value(in: packet, at: offset)
        store(port, in: &packet, at: offset)
        let checksum = value(in: packet, at: header + 6)
        // Over IPv4 there may be none.
        guard checksum != 0 else { return }
        var sum = UInt32(~checksum) + UInt32(~old) + UInt32(port)
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + sum >> 16 }
        let corrected = ~UInt16(truncatingIfNeeded: sum)
        store(corrected == 0 ? 0xFFFF : corrected, in: &packet, at: header + 6)
    }

    private static func store(_ value: UInt16, in packet: inout [UInt8], at offset: Int) {
        packet[offset] = UInt8(truncatingIfNeeded: value >> 8)
        packet[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}
