public import KamuneBroker
public import KamuneCrypto

/// A port of ours that others are to reach.
public struct PortMapping: Hashable, Sendable {
    /// What speaks there.
    public enum Transport: Hashable, Sendable {
        case udp
        case tcp
    }

    /// What speaks there.
    public let transport: Transport
    /// The port on this machine.
    public let port: UInt16

    /// A port of ours.
    public init(_ transport: Transport, port: UInt16) {
        self.transport = transport
        self.port = port
    }
}

/// Has the gateway let others reach one port of ours, as a machine without I/O: asks by PCP, by NAT-PMP if the gateway knows
/// only that, renews what it has got, and gives it back.
public struct PortMapper: Sendable {
    /// What is to be done.
    public enum Action: Hashable, Sendable {
        /// A datagram for the gateway, at ``PortMapper/gatewayPort``.
        case send([UInt8])
        /// Others reach us there, as the gateway says. Comes again when it changes. Behind a second NAT it is an address that
        /// means something to that one only: see ``IPAddress/isLocal``.
        case mapped(IPEndpoint)
        /// That is over.
        case lost
        /// The gateway does not do it.
        case unavailable(Reason)
    }

    /// Why a gateway does not do it.
    public enum Reason: Hashable, Sendable {
        /// It does not answer.
        case silent
        /// It refuses, with the code of RFC 6887, section 7.4, or RFC 6886, section 3.5.
        case refused(code: UInt16)
    }

    /// Where gateways listen.
    public static var gatewayPort: UInt16 { PortMappingWire.port }
    /// How long a mapping is asked for, in seconds (RFC 6886, section 3.3, recommends it).
    public static let lifetime: UInt32 = 7200
    /// The longest that a gateway is believed to keep one, in seconds: a day.
    static let longestLifetime: UInt32 = 86_400
    /// When a question is repeated first (RFC 6886, section 3.1); the pause doubles then.
    static let firstRetry = Duration.milliseconds(250)
    /// How often it is asked: 7.75 s.
    static let tryLimit = 5
    /// The shortest time between two renewals.
    static let shortestRenewal = Duration.seconds(4)
    /// When it is asked again after a refusal, or silence: another gateway may be there.
    static let longPause = Duration.seconds(1800)

    private enum Phase {
        case idle
        case asking(tries: Int)
        case mapped(renewal: Duration)
        case pausing
        case withdrawn
    }

    private let mapping: PortMapping
    private let client: IPAddress
    private let nonce: [UInt8]
    private var speaksNATPMP = false
    private var phase = Phase.idle
    /// What NAT-PMP says in two answers.
    private var externalAddress: IPAddress?
    private var externalPort: (port: UInt16, lifetime: UInt32)?
    private var current: IPEndpoint?
    private var expiry: Duration?
    /// When ``tick(now:)`` has something to do.
    public private(set) var deadline: Duration?

    /// - Parameters:
    ///   - client: Our address, as the gateway sees it.
    ///   - random: Draws what makes the mapping ours (RFC 6887, section 11.2).
    public init(_ mapping: PortMapping, client: IPAddress, random: inout some RandomSource) {
        self.mapping = mapping
        self.client = client
        nonce = random.bytes(PortMappingWire.nonceSize)
    }

    /// Begins.
    public mutating func start(now: Duration) -> [Action] {
        guard case .idle = phase else { return [] }
        return ask(now: now)
    }

    /// Does what is due.
    public mutating func tick(now: Duration) -> [Action] {
        guard let deadline, deadline <= now else { return [] }
        switch phase {
        case .idle, .withdrawn:
            self.deadline = nil
            return []
        case .asking(let tries) where tries < Self.tryLimit:
            phase = .asking(tries: tries + 1)
            self.deadline = now + Self.firstRetry * (1 << tries)
            return requests
        case .asking:
            return giveUp(.silent, now: now)
        case .mapped, .pausing:
            return ask(now: now)
        }
    }

    private mutating func ask(now: Duration) -> [Action] {
        phase = .asking(tries: 1)
        deadline = now + Self.firstRetry
        externalAddress = nil
        externalPort = nil
        return requests
    }

    private var requests: [Action] {
        guard speaksNATPMP else {
            return [
                .send(
                    PortMappingWire.pcpRequest(
                        mapping, client: client, nonce: nonce, lifetime: Self.lifetime, suggested: current))
            ]
        }
        let map = PortMappingWire.natpmpRequest(mapping, lifetime: Self.lifetime, suggested: current?.port)
        return (externalAddress == nil ? [.send(PortMappingWire.natpmpAddressRequest)] : [])
            + (externalPort == nil ? [.send(map)] : [])
    }

    /// What the gateway has, while it may still have it.
    private mutating func giveUp(_ reason: Reason, now: Duration) -> [Action] {
        phase = .pausing
        // A gateway that was asked for a renewal may only be restarting: what it gave is asked for until its time is over.
        if current != nil, let expiry, now < expiry {
            deadline = min(expiry, now + Self.shortestRenewal * 8)
            return []
        }
        deadline = now + Self.longPause
        let wasMapped = current != nil
        current = nil
        return (wasMapped ? [.lost] : []) + [.unavailable(reason)]
    }

    /// Takes a datagram that has come from the gateway's address and port.
    public mutating func receive(_ datagram: [UInt8], now: Duration) -> [Action] {
        guard case .asking = phase, let version = datagram.first else { return [] }
        if !speaksNATPMP, version == PortMappingWire.Version.natpmp, datagram.count >= 4 {
            // It knows the older protocol only (RFC 6887, appendix A).
            speaksNATPMP = true
            return ask(now: now)
        }
        if speaksNATPMP {
            switch PortMappingWire.natpmpAnswer(datagram, mapping) {
            case nil: return []
            case .refused(let code): return refuse(code, now: now)
            case .address(let address, _): externalAddress = address
            case .mapped(let port, let lifetime, _):
                guard port != 0, lifetime != 0 else { return refuse(0, now: now) }
                externalPort = (port, lifetime)
            }
            guard let externalAddress, let externalPort else { return [] }
            return succeed(IPEndpoint(externalAddress, externalPort.port), lifetime: externalPort.lifetime, now: now)
        }
        switch PortMappingWire.pcpAnswer(datagram, mapping, nonce: nonce) {
        case nil: return []
        case .refused(let code, _): return refuse(UInt16(code), now: now)
        case .mapped(_, let lifetime, _) where lifetime == 0: return refuse(0, now: now)
        case .mapped(let external, let lifetime, _): return succeed(external, lifetime: lifetime, now: now)
        }
    }

    private mutating func refuse(_ code: UInt16, now: Duration) -> [Action] {
        // Who refuses a renewal has no mapping any more.
        expiry = nil
        return giveUp(.refused(code: code), now: now)
    }

    private mutating func succeed(_ external: IPEndpoint, lifetime: UInt32, now: Duration) -> [Action] {
        let seconds = Duration.seconds(Int64(min(lifetime, Self.longestLifetime)))
        expiry = now + seconds
        // At half of the time (RFC 6886, section 3.3; RFC 6887, section 11.2.1, between half and five eighths).
        let renewal = now + max(seconds / 2, Self.shortestRenewal)
        phase = .mapped(renewal: renewal)
        deadline = renewal
        guard external != current else { return [] }
        current = external
        return [.mapped(external)]
    }

    /// Gives the mapping back. Nothing waits for the answer.
    public mutating func withdraw() -> [Action] {
        let mayBeMapped: Bool
        switch phase {
        case .idle, .withdrawn: mayBeMapped = false
        case .asking, .mapped: mayBeMapped = true
        case .pausing: mayBeMapped = current != nil
        }
        phase = .withdrawn
        deadline = nil
        let wasMapped = current != nil
        defer { current = nil }
        guard mayBeMapped else { return [] }
        let request =
            speaksNATPMP
            ? PortMappingWire.natpmpRequest(mapping, lifetime: 0, suggested: nil)
            : PortMappingWire.pcpRequest(mapping, client: client, nonce: nonce, lifetime: 0, suggested: current)
        return [.send(request)] + (wasMapped ? [.lost] : [])
    }
}
