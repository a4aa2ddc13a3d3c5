import KamuneBroker

/// The datagrams by which a gateway is asked to let others in: PCP (RFC 6887), and NAT-PMP (RFC 6886), which it has grown
/// out of and which older gateways speak.
enum PortMappingWire {
    /// Where gateways listen (RFC 6887, section 19.1; RFC 6886, section 3.1).
    static let port: UInt16 = 5351
    /// The longest datagram of either (RFC 6887, section 7).
    static let largestSize = 1100

    enum Version {
        static let natpmp: UInt8 = 0
        static let pcp: UInt8 = 2
    }

    /// The bit that says that it is an answer.
    static let answerBit: UInt8 = 0x80
    /// The numbers of IANA by which PCP names a protocol.
    private static let udp: UInt8 = 17
    private static let tcp: UInt8 = 6
    static let pcpHeaderSize = 24
    static let pcpMapSize = 36
    static let nonceSize = 12
    private static let pcpMap: UInt8 = 1

    /// What the operation of NAT-PMP is.
    enum NATPMPOperation {
        static let address: UInt8 = 0
        static let mapUDP: UInt8 = 1
        static let mapTCP: UInt8 = 2
    }

    // MARK: PCP

    /// Asks for a mapping, for its renewal, or with a lifetime of 0 for its end (RFC 6887, sections 7.1 and 11.1).
    static func pcpRequest(
        _ mapping: PortMapping, client: IPAddress, nonce: [UInt8], lifetime: UInt32, suggested: IPEndpoint?
    ) -> [UInt8] {
        let anyAddress = client.isIPv6 ? [UInt8](repeating: 0, count: 16) : mapped([0, 0, 0, 0])
        return [Version.pcp, pcpMap, 0, 0] + bytes(lifetime) + sixteen(client)
            + nonce + [mapping.transport == .udp ? udp : tcp, 0, 0, 0] + bytes(mapping.port)
            + bytes(suggested?.port ?? mapping.port) + (suggested.map { sixteen($0.address) } ?? anyAddress)
    }

    /// What a gateway has answered.
    enum PCPAnswer: Hashable {
        case mapped(external: IPEndpoint, lifetime: UInt32, epoch: UInt32)
        /// - Parameter retry: After how many seconds it may be asked again.
        case refused(code: UInt8, retry: UInt32)
    }

    /// Reads the answer to a request; `nil` for whatever is none to this one.
    static func pcpAnswer(_ datagram: [UInt8], _ mapping: PortMapping, nonce: [UInt8]) -> PCPAnswer? {
        guard datagram.count >= pcpHeaderSize, datagram.count <= largestSize, datagram[0] == Version.pcp,
            datagram[1] == pcpMap | answerBit
        else { return nil }
        let lifetime = integer(datagram[4..<8])
        let body = datagram[pcpHeaderSize...]
        // A gateway that cannot read the request says so without repeating it.
        let isWhole = body.count >= pcpMapSize
        guard !isWhole || isOf(mapping, nonce: nonce, body: Array(body)) else { return nil }
        guard datagram[3] == 0 else { return .refused(code: datagram[3], retry: lifetime) }
        guard isWhole, let address = IPAddress(bytes: body.dropFirst(20).prefix(16)) else { return nil }
        let port = UInt16(truncatingIfNeeded: integer(body.dropFirst(18).prefix(2)))
        guard port != 0, !address.isUnspecified else { return nil }
        return .mapped(external: IPEndpoint(address, port), lifetime: lifetime, epoch: integer(datagram[8..<12]))
    }

    private static func isOf(_ mapping: PortMapping, nonce: [UInt8], body: [UInt8]) -> Bool {
        body.starts(with: nonce) && body[nonceSize] == (mapping.transport == .udp ? udp : tcp)
            && integer(body[16..<18]) == UInt32(mapping.port)
    }

    // MARK: NAT-PMP

    /// Asks for the gateway's own address (RFC 6886, section 3.2).
    static let natpmpAddressRequest: [UInt8] = [Version.natpmp, NATPMPOperation.address]

    /// Asks for a mapping, for its renewal, or with a lifetime of 0 for its end (RFC 6886, sections 3.3 and 3.4).
    static func natpmpRequest(_ mapping: PortMapping, lifetime: UInt32, suggested: UInt16?) -> [UInt8] {
        let operation = mapping.transport == .udp ? NATPMPOperation.mapUDP : NATPMPOperation.mapTCP
        let port = lifetime == 0 ? 0 : suggested ?? mapping.port
        return [Version.natpmp, operation, 0, 0] + bytes(mapping.port) + bytes(port) + bytes(lifetime)
    }

    /// What a gateway has answered.
    enum NATPMPAnswer: Hashable {
        case address(IPAddress, epoch: UInt32)
        case mapped(port: UInt16, lifetime: UInt32, epoch: UInt32)
        case refused(code: UInt16)
    }

    /// Reads an answer; `nil` for whatever is none to a request about this mapping.
    static func natpmpAnswer(_ datagram: [UInt8], _ mapping: PortMapping) -> NATPMPAnswer? {
        guard datagram.count >= 4, datagram.count <= largestSize, datagram[0] == Version.natpmp,
            datagram[1] & answerBit != 0
        else { return nil }
        let operation = datagram[1] & ~answerBit
        let expected = mapping.transport == .udp ? NATPMPOperation.mapUDP : NATPMPOperation.mapTCP
        guard operation == expected || operation == NATPMPOperation.address else { return nil }
        let code = UInt16(truncatingIfNeeded: integer(datagram[2..<4]))
        guard code == 0 else { return .refused(code: code) }
        if operation == NATPMPOperation.address {
            guard datagram.count >= 12, let address = IPAddress(bytes: datagram[8..<12]), !address.isUnspecified else {
                return nil
            }
            return .address(address, epoch: integer(datagram[4..<8]))
        }
        guard datagram.count >= 16, integer(datagram[8..<10]) == UInt32(mapping.port) else { return nil }
        let port = UInt16(truncatingIfNeeded: integer(datagram[10..<12]))
        return .mapped(port: port, lifetime: integer(datagram[12..<16]), epoch: integer(datagram[4..<8]))
    }

    // MARK: Parts

    private static func sixteen(_ address: IPAddress) -> [UInt8] {
        address.isIPv6 ? address.bytes : mapped(address.bytes)
    }

    private static func mapped(_ ipv4: [UInt8]) -> [UInt8] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + ipv4
    }

    private static func bytes(_ value: UInt16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
    }

    private static func bytes(_ value: UInt32) -> [UInt8] {
        stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }

    private static func integer(_ bytes: some Sequence<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
}
