import KamuneCrypto
import KamuneProtocol
import KamuneStore
import KamuneSystem
import KamuneTransport

/// Runs one handshake over a connection, and asks the verifier in the middle of it.
struct HandshakeDriver: Sendable {
    let connection: any Connection
    let verifier: any PeerVerifier
    let configuration: Configuration
    let identity: Identity
    let capabilities: CapabilitySet
    /// Where sessions are kept, if they are.
    let archive: SessionArchive?
    /// What went wrong when an earlier session was to be resumed.
    var doubt: KamuneError?
    /// Whether whom we want to reach says why, when it does not let us in (§10.8).
    var peerSaysWhy = false
    /// Told what the peer has shown of itself, where that decides whether the connection keeps its place; false drops it.
    var onMilestone: (@Sendable (HandshakeMilestone) -> Bool)?
    /// Waits, when the responder has answered for the first time, until it may be told who we are; yields what to resume.
    var onAnswer: (@Sendable () async throws(KamuneError) -> ResumptionRight?)?

    /// Drives the side that connects to a session, and starts that.
    func initiate(
        _ handshake: HandshakeConfiguration, resuming right: ResumptionRight? = nil
    ) async throws(KamuneError) -> Session {
        var progress = Progress(.initiator, connection, configuration.time)
        progress.counterpart = right.map { .resumed($0) }
        var machine: InitiatorMachine
        do throws(ProtocolError) {
            machine = try InitiatorMachine(
                configuration: handshake, resuming: right?.ticket(), random: SystemRandomSource())
        } catch {
            throw KamuneError(error)
        }
        var onAnswer = onAnswer
        while true {
            try queue(machine.outgoing)
            if machine.isTunnelEstablished { progress.steps.finishedOnce(.tunnelEstablished) }
            let frame = try await nextFrame(&progress.frames, peerIsDeciding: machine.peerIsDeciding)
            if let right = try await onAnswer.take()?() {
                progress.counterpart = .resumed(right)
                machine = machine.resuming(right.ticket())
            }
            let action: InitiatorMachine.Action
            do throws(ProtocolError) {
                action = try machine.receivedFrame(frame, at: configuration.time.timestamp)
            } catch {
                throw KamuneError(error)
            }
            switch consume action {
            case .proceed(let next):
                machine = next

            case .verifyPeer(let peer):
                switch try await judge(peer.introduction, &progress) {
                case .accepted: break
                case .held: throw Self.notWelcome
                case .refused(let error, _): throw error
                }
                do throws(ProtocolError) {
                    machine = try peer.accept(at: configuration.time.timestamp)
                } catch {
                    throw KamuneError(error)
                }

            case .established(let established, let outgoing):
                if isHeld(by: established.peer) {
                    throw await ask(established, sending: outgoing, progress)
                }
                return try await establish(established, sending: outgoing, role: .initiator, progress)
            }
        }
    }

    /// Drives the side that was connected to to a session, and starts that.
    func respond(_ handshake: HandshakeConfiguration) async throws(KamuneError) -> Session {
        var progress = Progress(.responder, connection, configuration.time)
        var machine = ResponderMachine(configuration: handshake, random: SystemRandomSource())
        while true {
            try queue(machine.outgoing)
            if machine.isTunnelEstablished { progress.steps.finishedOnce(.tunnelEstablished) }
            let frame = try await nextFrame(&progress.frames, peerIsDeciding: machine.peerIsDeciding)
            let action: ResponderMachine.Action
            do throws(ProtocolError) {
                action = try machine.receivedFrame(frame, at: configuration.time.timestamp)
            } catch {
                throw KamuneError(error)
            }
            switch consume action {
            case .proceed(let next):
                machine = next
                if machine.isPeerProven, onMilestone?(.proven) == false { throw .crowdedOut }

            case .verifyPeer(let peer):
                switch try await judge(peer.introduction, &progress) {
                case .accepted:
                    do throws(ProtocolError) {
                        machine = try peer.accept(at: configuration.time.timestamp)
                    } catch {
                        throw KamuneError(error)
                    }
                case .held(let guest):
                    progress.guest = guest
                    do throws(ProtocolError) {
                        machine = try peer.accept(at: configuration.time.timestamp, announcing: .holding)
                    } catch {
                        throw KamuneError(error)
                    }
                case .refused(let error, let refusal):
                    if let refusal { try tell(refusal, to: peer) }
                    throw error
                }

            case .resolveResumption(let peer):
                guard let (resumption, right) = try await archive?.grant(peer.request),
                    onMilestone?(.resuming(right.peer.key)) ?? true
                else {
                    throw try refuse(peer)
                }
                progress.counterpart = .resumed(right)
                progress.isKnown = true
                do throws(ProtocolError) {
                    machine = try peer.accept(resumption, peerCapabilities: right.peerCapabilities)
                } catch {
                    throw KamuneError(error)
                }

            case .established(let established):
                if let guest = progress.guest { throw await takeRequest(over: established, of: guest, progress) }
                return try await establish(established, sending: [], role: .responder, progress)
            }
        }
    }

    /// How far a handshake has come.
    struct Progress {
        let role: Role
        var frames: FrameReader
        var steps: StepClock
        /// Set once it is decided with whom we talk.
        var counterpart: SessionArchive.Counterpart?
        /// Who is to wait until they are accepted.
        var guest: Peer?
        /// Whether we knew the peer before.
        var isKnown = false

        init(_ role: Role, _ connection: any Connection, _ time: any TimeSource) {
            self.role = role
            frames = FrameReader(connection: connection)
            steps = StepClock(time: time)
        }
    }

    /// What becomes of a peer who has introduced itself.
    enum Judgement {
        case accepted
        /// The peer is to prove that it holds its key, say what it wants, and wait.
        case held(Peer)
        /// The peer is told no more than this.
        case refused(KamuneError, telling: HandshakeRefusal?)
    }

    /// Asks whether we want to talk to a peer who has introduced itself.
    private func judge(
        _ introduction: PeerIntroduction, _ progress: inout Progress
    ) async throws(KamuneError) -> Judgement {
        progress.steps.finished(.peerIntroduced)
        let peer = Peer(introduction)
        if let onMilestone {
            let known = await archive?.knownKey(of: peer, at: configuration.time.date)
            guard onMilestone(.introduced(known ?? peer.identity, isKnown: known != nil)) else {
                return .refused(.crowdedOut, telling: .busy)
            }
            progress.isKnown = known != nil
        }
        switch try await verify(peer, &progress.frames) {
        case .accept(let grounds):
            progress.counterpart = .introduced(peer, grounds)
            progress.steps.finished(.peerAccepted)
            return .accepted
        case .refuse(let reason, let refusal):
            return .refused(KamuneError(.refusedByUs, reason), telling: refusal)
        case .wait:
            return progress.role == .responder ? await hold(peer) : .refused(Self.notWelcome, telling: nil)
        }
    }

    /// Tells a peer why we do not go on. The connection is closed when that is out.
    private func tell(
        _ refusal: HandshakeRefusal, to peer: consuming ResponderMachine.IntroducedPeer
    ) throws(KamuneError) {
        let frame: [UInt8]?
        do throws(ProtocolError) {
            frame = try peer.refuse(refusal)
        } catch {
            throw KamuneError(error)
        }
        if let frame { try queue([frame]) }
    }

    /// Tells the peer that its session is not resumed; it introduces itself anew over another connection.
    ///
    /// - Returns: Why the handshake ends here.
    private func refuse(_ peer: consuming ResponderMachine.ResumingPeer) throws(KamuneError) -> KamuneError {
        let frame: [UInt8]
        do throws(ProtocolError) {
            frame = try peer.refuse()
        } catch {
            throw KamuneError(error)
        }
        try queue([frame])
        return KamuneError(.resumptionRefused, "The peer asked to resume a session that is not known here.")
    }

    private func establish(
        _ established: consuming EstablishedSession, sending outgoing: [[UInt8]], role: Role, _ progress: Progress
    ) async throws(KamuneError) -> Session {
        guard let counterpart = progress.counterpart else { throw KamuneError(.misuse, "Nobody was let in.") }
        // Kept before the last frame goes out: the peer may come back to resume as soon as it has that. Here the verdict
        // takes effect.
        let kept = try await keep(established, role: role, counterpart)
        if progress.isKnown { connection.budget.leavePool() }
        try queue(outgoing)
        var steps = progress.steps
        steps.finished(.established)
        return start(established, role: role, frames: progress.frames, steps: steps.steps, counterpart, kept)
    }

    /// Stores the session, if sessions are kept.
    private func keep(
        _ established: borrowing EstablishedSession, role: Role, _ counterpart: SessionArchive.Counterpart
    ) async throws(KamuneError) -> KeptSession? {
        guard let archive else { return nil }
        var tokens: [[UInt8]] = []
        for index in 0..<ProtocolConstants.resumptionTokenCount {
            tokens.append(established.resumptionRoot.token(at: UInt32(index)).withUnsafeBytes { Array($0) })
        }
        return try await archive.keep(
            SessionArchive.Established(
                identifier: established.state.id, isInitiator: role == .initiator,
                transport: connection.info.transport, tokens: tokens),
            with: counterpart)
    }

    private func start(
        _ established: consuming EstablishedSession, role: Role, frames: FrameReader, steps: [HandshakeStep],
        _ counterpart: SessionArchive.Counterpart, _ kept: KeptSession?
    ) -> Session {
        let (peer, agreed): (Peer, CapabilitySet) =
            switch counterpart {
            case .introduced(let peer, _): (peer, capabilities.intersection(established.peer.capabilities))
            case .resumed(let right): (Peer(right), right.agreed)
            }
        let isResumed = established.isResumed
        let machine = SessionMachine(
            established.state, agreedCapabilities: agreed, configuration: configuration.session(of: role),
            at: configuration.time.moment)
        if !counterpart.isStranger { connection.budget.leavePool() }
        let core = SessionCore(machine, role: role, connection: connection, configuration: configuration)
        let bookkeeping: Task<Void, Never>? =
            if let archive, let record = kept?.session {
                Task { await archive.ended(record, await core.waitUntilEnded()) }
            } else {
                nil
            }
        let session = Session(
            core: core, peer: peer, remoteAddress: connection.info.remoteAddress, handshake: steps,
            isResumed: isResumed, agreed: agreed, resumptionFailure: doubt, kept: kept, bookkeeping: bookkeeping)
        core.start(with: frames.takeRemaining())
        return session
    }

    func queue(_ frames: [[UInt8]]) throws(KamuneError) {
        if frames.isEmpty { return }
        do {
            try connection.enqueue(frames)
        } catch {
            throw KamuneError(lost: error)
        }
    }

    private func nextFrame(
        _ frames: inout FrameReader, peerIsDeciding: Bool
    ) async throws(KamuneError) -> [UInt8] {
        do throws(TransportError) {
            if let frame = try await frames.next() { return frame }
        } catch {
            switch error {
            case .reset, .endedMidFrame: break
            default: throw KamuneError(lost: error)
            }
        }
        guard peerIsDeciding else {
            throw KamuneError(
                .connectionLost, "The other side closed the connection during the handshake. Is it a Kamune peer?")
        }
        if peerSaysWhy {
            throw KamuneError(
                .connectionLost,
                "The connection ended when the other side learned who we are, and it did not say why. Try again later.")
        }
        throw identity.algorithm == .mldsa65
            ? KamuneError(
                .refusedByPeer,
                "The connection ended when the other side learned who we are. It refused us, or it is a program of "
                    + "version 0.7, which cannot read ML-DSA-65 identities (use an Ed25519 identity for it), or somebody "
                    + "on the way cut it.")
            : KamuneError(
                .refusedByPeer,
                "The other side refused us, or somebody on the way cut the connection: it ended when the other side "
                    + "learned who we are.")
    }
}

extension Peer {
    init(_ introduction: PeerIntroduction) {
        self.init(
            name: BoundedText.name(introduction.name), identity: introduction.identity,
            version: BoundedText.version(introduction.version.description),
            capabilities: introduction.capabilities.map(\.name), formerKeys: introduction.succession.formerKeys)
    }
}

extension Configuration {
    /// The initiator waits a little longer before it pings. The two would else fall silent at the same moment and ping each
    /// other, where one of them is enough; and a responder, who may have many sessions, pings many at once.
    func session(of role: Role) -> SessionConfiguration {
        let interval = keepAliveInterval.map { role == .initiator ? $0 + $0 / 8 : $0 }
        return SessionConfiguration(
            maximumMessageSize: maximumMessageSize,
            keepAlive: interval.map { KeepAliveConfiguration(interval: $0, strikes: keepAliveStrikes) })
    }

    var transport: TransportConfiguration {
        var transport = TransportConfiguration()
        transport.dialTimeout = dialTimeout
        transport.readTimeout = readTimeout
        transport.writeTimeout = writeTimeout
        transport.memoryLimit = maximumHeldBytes
        transport.strangers = strangers
        transport.relayKey = relayKey
        return transport
    }
}
