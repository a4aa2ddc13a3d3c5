import KamuneProtocol
import KamuneStore
import KamuneTransport

// Strangers who wait to be accepted (docs/PROTOCOL.md §10.9).

extension HandshakeDriver {
    /// The largest request, in bytes.
    private static let noteLimit = StoredRequest.maximumNoteSize

    // MARK: The side that holds

    /// Has a stranger wait: one who can prove that it holds its key is let do that, any other is noted as it is.
    func hold(_ peer: Peer) async -> Judgement {
        guard let archive else {
            return .refused(
                KamuneError(.refusedByUs, "The peer is not known, and nothing is kept here."), telling: .away)
        }
        let asks = peer.capabilities.contains(Capability.requests.name)
        if configuration.takesRequests, asks, capabilities.contains(.requests) { return .held(peer) }
        do throws(KamuneError) {
            let (request, told) = try await archive.note(
                peer, from: connection.info.remoteNetwork, isProven: false, note: "")
            if let request { configuration.onRequest?(request) }
            return .refused(request == nil ? Self.notNoted : Self.noted, telling: told)
        } catch {
            return .refused(error, telling: .unspecified)
        }
    }

    /// Takes one request over a session that is for nothing else, and says goodbye: the stranger knows then that it is noted.
    ///
    /// - Returns: How that went: there is no session.
    func takeRequest(
        over established: consuming EstablishedSession, of guest: Peer, _ progress: Progress
    ) async -> KamuneError {
        guard let archive else { return KamuneError(.misuse, "Nothing is kept here.") }
        let core = startCore(established, progress)
        do throws(KamuneError) {
            guard let message = try await core.inbox.next() else {
                await core.close()
                return KamuneError(.connectionLost, "The stranger said nothing.")
            }
            let (request, _) = try await archive.note(
                guest, from: connection.info.remoteNetwork, isProven: true, note: message.text)
            guard let request else {
                await core.abandon(Self.notNoted)
                return Self.notNoted
            }
            configuration.onRequest?(request)
            await core.close()
            return Self.noted
        } catch {
            await core.abandon(error)
            return error
        }
    }

    /// Who was dialed and is to wait.
    static let notWelcome = KamuneError(.refusedByUs, "Whom we have dialed is not known, and was not accepted.")

    private static let noted = KamuneError(
        .waitingForAcceptance,
        "Somebody who is not known wants to talk. The request is noted, and waits to be accepted.")

    private static let notNoted = KamuneError(
        .refusedByUs, "Somebody who is not known wants to talk, and no request was noted.")

    // MARK: The side that is held

    /// Whether the responder holds us, as its introduction said, which both challenges have confirmed (§10.2).
    func isHeld(by peer: SessionPeer) -> Bool {
        capabilities.contains(.requests) && peer.capabilities.contains(.held)
    }

    /// Says what we want over a session that is for nothing else.
    ///
    /// - Returns: That we wait, or what went wrong.
    func ask(
        _ established: consuming EstablishedSession, sending outgoing: [[UInt8]], _ progress: Progress
    ) async -> KamuneError {
        do throws(KamuneError) {
            // Whom the person has accepted for this need not be asked about when we come again.
            if let archive, case .introduced(let peer, .person) = progress.counterpart {
                try await archive.acquaint(with: peer, on: .person)
            }
            try queue(outgoing)
        } catch {
            return error
        }
        let core = startCore(established, progress)
        let note = BoundedText.cut(configuration.requestNote, scalars: Self.noteLimit, bytes: Self.noteLimit)
        do throws(KamuneError) {
            _ = try await core.send(Array(note.utf8))
            // The end of what comes is the end of the session.
            while try await core.inbox.next() != nil {}
        } catch {
            await core.abandon(error)
            return KamuneError(error.code, "The other side did not note that we want to talk.", cause: error)
        }
        guard await core.waitUntilEnded() == .closedByPeer else {
            return KamuneError(.connectionLost, "The other side did not note that we want to talk.")
        }
        return KamuneError(ProtocolError.refused(.introduction(.waiting)))
    }

    /// A session that no application sees.
    private func startCore(_ established: consuming EstablishedSession, _ progress: Progress) -> SessionCore {
        let machine = SessionMachine(
            established.state, agreedCapabilities: .holding,
            configuration: SessionConfiguration(maximumMessageSize: Self.noteLimit, keepAlive: nil),
            at: configuration.time.moment)
        let core = SessionCore(machine, role: progress.role, connection: connection, configuration: configuration)
        core.start(with: progress.frames.takeRemaining())
        return core
    }
}
