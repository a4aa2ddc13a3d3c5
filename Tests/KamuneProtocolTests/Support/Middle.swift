import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

/// Somebody between two peers who ends the tunnel on both sides, which authenticates nobody: so he reads and replaces
/// every envelope of the handshake. What is sealed by the session's keys he can only pass on.
struct Middle: ~Copyable {
    var initiator: Side<InitiatorMachine>
    var responder: Side<ResponderMachine>
    /// The plaintexts of the tunnels, as they were sent.
    private(set) var seen: [(name: FrameName, plaintext: [UInt8])] = []
    /// How the responder answers a request to resume.
    var resolution = Resolution.refuse
    private var towardsInitiator: Tunnel
    private var towardsResponder: Tunnel
    private var fromInitiator: [[UInt8]]
    private var fromResponder: [[UInt8]] = []
    private var names: [Role: ArraySlice<FrameName>] = [
        .initiator: [.opening, .request, .initiatorChallenge, .initiatorAnswer],
        .responder: [.reply, .accept, .responderAnswer, .responderChallenge],
    ]

    /// Stands between two peers, and lets them make their tunnels with him.
    init(
        _ initiator: HandshakeConfiguration, _ responder: HandshakeConfiguration,
        resuming ticket: consuming ResumptionTicket? = nil, seed: UInt64 = 1
    ) throws {
        var system = SystemEncapsulator()
        var random = SeededRandom(seed)
        var left = Side(
            try InitiatorMachine(configuration: initiator, resuming: ticket, random: SeededRandom(seed &+ 1_000)))
        var right = Side(ResponderMachine(configuration: responder, random: SeededRandom(seed &+ 2_000)))

        let leftKey = try TunnelPrivateKey.generate(using: &random)
        let toLeft = try system.encapsulateTunnel(to: left.machine?.outgoing.first ?? [])
        let answer = MergedExchange(encapsulatedKey: toLeft.encapsulatedKey, publicKey: leftKey.publicKey)
        let frames = left.deliver(answer.encoded())
        guard frames.count == 2 else { throw UnexpectedAnswer() }
        let leftOpener = try TunnelOpener(encapsulatedKey: frames[0], privateKey: leftKey)

        let rightKey = try TunnelPrivateKey.generate(using: &random)
        let merged = try MergedExchange(decoding: try right.only(after: rightKey.publicKey))
        let rightOpener = try TunnelOpener(encapsulatedKey: merged.encapsulatedKey, privateKey: rightKey)
        let toRight = try system.encapsulateTunnel(to: merged.publicKey)
        _ = right.deliver(toRight.encapsulatedKey)

        self.initiator = left
        self.responder = right
        towardsInitiator = Tunnel(sealer: toLeft.sealer, opener: leftOpener)
        towardsResponder = Tunnel(sealer: toRight.sealer, opener: rightOpener)
        fromInitiator = [frames[1]]
    }

    /// Passes on until nobody has anything to send.
    ///
    /// - Parameter change: Replaces the plaintext of a frame; nil to keep it back.
    mutating func run(_ change: (FrameName, [UInt8]) throws -> [UInt8]? = { $1 }) throws {
        while true {
            if !fromInitiator.isEmpty {
                let plaintext = try nextFromInitiator()
                guard let changed = try change(plaintext.name, plaintext.bytes) else { continue }
                try deliverToResponder(changed)
            } else if !fromResponder.isEmpty {
                let plaintext = try nextFromResponder()
                guard let changed = try change(plaintext.name, plaintext.bytes) else { continue }
                try deliverToInitiator(changed)
            } else {
                return
            }
        }
    }

    mutating func nextFromInitiator() throws -> (name: FrameName, bytes: [UInt8]) {
        try note(.initiator, try towardsInitiator.open(fromInitiator.removeFirst()))
    }

    mutating func nextFromResponder() throws -> (name: FrameName, bytes: [UInt8]) {
        try note(.responder, try towardsResponder.open(fromResponder.removeFirst()))
    }

    private mutating func note(_ role: Role, _ plaintext: [UInt8]) throws -> (name: FrameName, bytes: [UInt8]) {
        guard let name = names[role]?.popFirst() else { throw UnexpectedAnswer() }
        seen.append((name, plaintext))
        return (name, plaintext)
    }

    mutating func deliverToResponder(_ plaintext: [UInt8]) throws {
        let resolution = resolution
        fromResponder += responder.receive(try towardsResponder.seal(plaintext)) { request throws(ProtocolError) in
            guard case .accept(let peer, let capabilities) = resolution else { return nil }
            return (try request.verified(as: peer), capabilities)
        }
    }

    mutating func deliverToInitiator(_ plaintext: [UInt8]) throws {
        fromInitiator += initiator.deliver(try towardsInitiator.seal(plaintext))
    }

    var errors: (initiator: ProtocolError?, responder: ProtocolError?) { (initiator.error, responder.error) }

    var nobodyIsEstablished: Bool { !initiator.isEstablished && !responder.isEstablished }

    func plaintext(_ name: FrameName) throws -> [UInt8] {
        try #require(seen.first { $0.name == name }).plaintext
    }
}

/// The same message, signed anew by somebody else.
func resigned(
    _ envelope: [UInt8], by identity: Identity, _ change: (inout [UInt8]) -> Void = { _ in }
) throws -> [UInt8] {
    let old = try Envelope(parsing: envelope)
    let route = try #require(try old.claimedRoute())
    var data = Array(old.unverifiedData)
    change(&data)
    var random = SeededRandom(9)
    return try Envelope.seal(
        metadata: Metadata(timestamp: Fixture.now, route: route), dataSize: data.count,
        appendData: { $0.append(contentsOf: data) }, signedBy: identity, random: &random)
}

/// An introduction, as its owner once made it.
func introduction(
    of identity: Identity, name: String = "earlier", capabilities: CapabilitySet, succession: Succession = .none
) throws -> [UInt8] {
    let encoded = try LocalIntroduction(
        HandshakeConfiguration(identity: identity, name: name, capabilities: capabilities, succession: succession)
    ).encoded
    var random = SeededRandom(10)
    return try Envelope.seal(
        metadata: Metadata(timestamp: Fixture.now, route: .identity), dataSize: encoded.count,
        appendData: { $0.append(contentsOf: encoded) }, signedBy: identity, random: &random)
}
