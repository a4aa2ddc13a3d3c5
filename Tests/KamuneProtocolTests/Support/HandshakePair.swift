import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

/// The eleven frames of a handshake in the order in which they are sent. A resumed one has as many.
enum FrameName: Int, CaseIterable, Sendable {
    case initiatorKey, exchange, encapsulation
    /// The initiator's introduction, or its request to resume.
    case opening
    /// The responder's introduction, or its answer to that request.
    case reply
    case request, accept
    case initiatorChallenge, responderAnswer, responderChallenge, initiatorAnswer

    var sender: Role {
        switch self {
        case .initiatorKey, .encapsulation, .opening, .request, .initiatorChallenge, .initiatorAnswer: .initiator
        case .exchange, .reply, .accept, .responderAnswer, .responderChallenge: .responder
        }
    }

    var receiver: Role { sender.peer }

    /// Whether the frame lies within the tunnel.
    var isTunnelled: Bool { rawValue >= Self.opening.rawValue }
}

/// A frame on its way, and where a test lets it go.
struct SentFrame: Sendable {
    let name: FrameName
    let bytes: [UInt8]

    /// What happens to the frame when nobody interferes.
    var delivered: [Delivery] { [Delivery(to: name.receiver, bytes)] }
}

/// A frame that arrives at somebody.
struct Delivery: Sendable {
    let receiver: Role
    let bytes: [UInt8]

    init(to receiver: Role, _ bytes: [UInt8]) {
        self.receiver = receiver
        self.bytes = bytes
    }
}

/// One side of a handshake, what it has seen, and how it ended.
struct Side<Machine: TestedMachine & ~Copyable>: ~Copyable {
    /// The machine while it waits for a frame; nil once it has ended.
    var machine: Machine?
    var established: EstablishedSession?
    var error: ProtocolError?
    /// Whom the machine asked to be judged.
    var introduction: PeerIntroduction?
    /// Whether the handshake ended by a refusal that this side sent.
    var hasRefused = false

    init(_ machine: consuming Machine) {
        self.machine = consume machine
    }

    var isEstablished: Bool { established != nil }

    var isTunnelEstablished: Bool {
        switch machine {
        case .some(let machine): machine.isTunnelEstablished
        case nil: false
        }
    }

    var peerIsDeciding: Bool {
        switch machine {
        case .some(let machine): machine.peerIsDeciding
        case nil: false
        }
    }

    /// Takes a frame; the answer is what the side sends. Nothing is taken any more once the handshake has ended.
    mutating func receive(_ frame: [UInt8], resolve: Resolver) -> [[UInt8]] {
        guard let machine = machine.take() else { return [] }
        do {
            var introduced: PeerIntroduction?
            let taken = try machine.take(frame, introduced: { introduced = $0 }, resolve: resolve)
            introduction = introduced ?? introduction
            switch consume taken {
            case .waits(let next):
                let frames = next.outgoing
                self.machine = consume next
                return frames
            case .refused(let frame):
                hasRefused = true
                return [frame]
            case .established(let session, let frames):
                established = consume session
                return frames
            }
        } catch {
            self.error = error
            return []
        }
    }
}

/// How a responder answers a request to resume.
enum Resolution: Sendable {
    case accept(as: PublicIdentity, capabilities: CapabilitySet)
    case refuse
}

/// Both roles, joined by a wire that a test can bend.
struct HandshakePair: ~Copyable {
    var initiator: Side<InitiatorMachine>
    var responder: Side<ResponderMachine>
    /// Every frame as it was sent.
    private(set) var sent: [SentFrame] = []
    var resolution = Resolution.refuse

    init(_ initiator: consuming InitiatorMachine, _ responder: consuming ResponderMachine) {
        self.initiator = Side(initiator)
        self.responder = Side(responder)
    }

    init(
        initiator: HandshakeConfiguration, responder: HandshakeConfiguration,
        resuming ticket: consuming ResumptionTicket? = nil, resolution: Resolution = .refuse, seed: UInt64 = 1,
        encapsulators: (any Encapsulator, any Encapsulator) = (SystemEncapsulator(), SystemEncapsulator())
    ) throws(ProtocolError) {
        try self.init(
            InitiatorMachine(
                configuration: initiator, resuming: ticket, random: SeededRandom(seed &* 2),
                encapsulator: encapsulators.0),
            ResponderMachine(
                configuration: responder, random: SeededRandom(seed &* 2 &+ 1), encapsulator: encapsulators.1))
        self.resolution = resolution
    }

    /// Runs until nobody has anything to send.
    ///
    /// - Parameter wire: Decides what becomes of each frame.
    mutating func run(_ wire: (SentFrame) -> [Delivery] = { $0.delivered }) throws {
        var pending: [Delivery] = []
        var counts: [Role: Int] = [:]
        let names = Dictionary(grouping: FrameName.allCases, by: \.sender)

        func send(_ frames: [[UInt8]], by sender: Role, _ sent: inout [SentFrame]) throws {
            for bytes in frames {
                let count = counts[sender, default: 0]
                counts[sender] = count + 1
                let frame = SentFrame(name: try #require(names[sender]?[count]), bytes: bytes)
                sent.append(frame)
                pending += wire(frame)
            }
        }

        try send(initiator.machine?.outgoing ?? [], by: .initiator, &sent)
        var deliveries = 0
        while !pending.isEmpty {
            let next = pending.removeFirst()
            deliveries += 1
            try #require(deliveries < 100, "the handshake does not end")
            switch next.receiver {
            case .initiator:
                let frames = initiator.receive(next.bytes) { _ in nil }
                try send(frames, by: .initiator, &sent)
            case .responder:
                let resolution = resolution
                let frames = responder.receive(next.bytes) { request throws(ProtocolError) in
                    switch resolution {
                    case .refuse: return nil
                    case .accept(let peer, let capabilities):
                        return (try request.verified(as: peer), capabilities)
                    }
                }
                try send(frames, by: .responder, &sent)
            }
        }
    }

    /// Runs undisturbed, and hands over both sessions.
    consuming func establish() throws -> EstablishedPair {
        try run()
        try #require(initiator.error == nil)
        try #require(responder.error == nil)
        guard let left = initiator.established.take(), let right = responder.established.take() else {
            throw NotEstablished()
        }
        return EstablishedPair(initiator: left, responder: right, frames: sent)
    }
}

struct NotEstablished: Error {}

/// What a handshake left on both sides.
struct EstablishedPair: ~Copyable {
    var initiator: EstablishedSession
    var responder: EstablishedSession
    let frames: [SentFrame]
}
