import Kamune
import KamuneStore
import KamuneSystem

extension Node {
    /// How many events are taken from a conversation at once.
    private static let batchSize = 256

    /// How many messages of a conversation that leaves no trace are kept in memory, so that none is taken twice, and after how
    /// many more the older ones are forgotten.
    private static let memory = 4_096

    /// What stands for the node itself among those who hold conversations open; clients have greater numbers.
    private static let ownNumber = 0

    // MARK: Dialing and listening

    /// Connects to one of these addresses for a client, which holds the conversation open.
    ///
    /// - Parameters:
    ///   - peer: Whom to reach; nobody else is accepted then.
    ///   - fingerprint: That of the key that whoever is there must have.
    func dial(
        _ addresses: [DialAddress], expecting peer: PublicIdentity?, of fingerprint: KeyFingerprint?,
        as name: String? = nil, with settings: LinkSettings? = nil, for client: NodeClient
    ) async throws(NodeError) -> ConversationInfo {
        let messenger = try await talker()
        let verifier = NodeVerifier(node: self, client: client, listener: nil, expected: fingerprint)
        let conversation = try await asNode {
            guard addresses.count == 1, let address = addresses.first, !address.isTold else {
                return try await messenger.dial(
                    anyOf: addresses, expecting: peer, verifier: verifier, name: name, settings: settings
                ).carrier
            }
            // What is said of the only one need not name it.
            return try await messenger.dial(
                address.text, expecting: peer, verifier: verifier, name: name, settings: settings)
        }
        take(conversation, holder: client, listener: nil)
        await fulfillExpectation(of: conversation)
        return try await describe(conversation)
    }

    /// Whoever has shown a key of which the person knew only the fingerprint is the contact whom the person meant.
    private func fulfillExpectation(of conversation: Conversation) async {
        let setting = Expectation.setting(conversation.peer.identity.fingerprint.sum)
        guard let name = try? await store.textSetting(setting) else { return }
        try? await store.rename(conversation.peerID, to: name)
        try? await store.setTextSetting(setting, to: nil)
        hub.publish([.contactChanged(ContactID(conversation.peerID))])
    }

    /// Waits for peers at an address, for a client.
    func listen(
        on address: String, expecting fingerprint: KeyFingerprint? = nil, as name: String? = nil,
        with settings: LinkSettings? = nil, for client: NodeClient
    ) async throws(NodeError) -> (ListenerID, address: String) {
        lastListener += 1
        let id = ListenerID(lastListener)
        let listening = try await beginListening(
            id, on: address, expecting: fingerprint, as: name, with: settings, for: client)
        guard hub.client(client.number) != nil, !isClosed else {
            await listening.listener.close()
            throw NodeError(.cancelled, "Nobody waits for this any more.")
        }
        listeners[id] = listening
        routesHaveChanged()
        return (id, listening.listener.address)
    }

    private func beginListening(
        _ id: ListenerID, on address: String, expecting fingerprint: KeyFingerprint?, as name: String?,
        with settings: LinkSettings?, for client: NodeClient
    ) async throws(NodeError) -> Listening {
        let messenger = try await talker()
        let verifier = NodeVerifier(node: self, client: client, listener: id, expected: fingerprint)
        let listener = try await asNode {
            try await messenger.listen(on: address, verifier: verifier, name: name, settings: settings)
        }
        let task = Task {
            async let failures: Void = tellFailures(of: listener, id, client)
            do throws(KamuneError) {
                for try await conversation in listener {
                    take(conversation, holder: client, listener: id)
                    await fulfillExpectation(of: conversation)
                }
            } catch {
                if error.code != .cancelled { client.tell(.listenerFailed(id, NodeError(error))) }
            }
            await failures
        }
        return Listening(
            listener: listener, client: client, expected: fingerprint, name: name, settings: settings,
            begun: time.date, task: task)
    }

    private nonisolated func tellFailures(
        of listener: ConversationListener, _ id: ListenerID, _ client: NodeClient
    ) async {
        for await failure in listener.failures {
            client.tell(.handshakeFailed(id, address: failure.remoteAddress, NodeError(failure.error)))
        }
    }

    /// Waits no more at an address. Conversations go on.
    func stopListening(_ id: ListenerID) async {
        guard let listening = listeners.removeValue(forKey: id) else { return }
        await listening.listener.close()
        listening.task.cancel()
        if !isClosed { routesHaveChanged() }
    }

    /// Goes on at the same address under another identity.
    func resumeListening(_ id: ListenerID, _ former: Listening) async {
        let address = former.listener.address
        await former.listener.close()
        former.task.cancel()
        do throws(NodeError) {
            let listening = try await beginListening(
                id, on: address, expecting: former.expected, as: former.name, with: former.settings,
                for: former.client)
            guard listeners[id] != nil else { return await listening.listener.close() }
            listeners[id] = listening
        } catch {
            listeners[id] = nil
            former.client.tell(.listenerFailed(id, error))
        }
    }

    // MARK: Conversations

    /// The conversation with a contact; nil when there is none.
    func talk(with peer: PeerID) -> Talk? { talks[peer] }

    /// Tells what happens in a conversation from now on.
    ///
    /// - Parameter holder: Who holds it open; nil for the node itself.
    func take(_ conversation: Conversation, holder: NodeClient?, listener: ListenerID?) {
        let isThere = holder.map { hub.client($0.number) != nil } ?? true
        let holders: Set<Int> = isThere ? [holder?.number ?? Self.ownNumber] : []
        if let talk = talks[conversation.peerID], talk.conversation === conversation {
            talks[conversation.peerID]?.holders.formUnion(holders)
            return
        }
        let pump = Task { await self.pump(conversation, listener) }
        talks[conversation.peerID] = Talk(conversation: conversation, holders: holders, pump: pump)
        if !isThere { Task { await conversation.close() } }
    }

    private func pump(_ conversation: Conversation, _ listener: ListenerID?) async {
        let contact = ContactID(conversation.peerID)
        hub.publish([.began(await description(of: conversation), listener: listener)])
        var events = conversation.events.makeAsyncIterator()
        var end: SessionEnd?
        var untrimmed = 0
        while let batch = try? await events.next(atMost: Self.batchSize), !batch.isEmpty {
            var told: [NodeEvent] = []
            told.reserveCapacity(batch.count)
            for event in batch {
                if case .ended(let how) = event { end = how } else { told.append(NodeEvent(event, contact)) }
            }
            hub.publish(told)
            if configuration.leavesNoTrace {
                // What leaves no trace counts as delivered when it was shown or written, and not before.
                await hub.waitUntilTaken()
                untrimmed += batch.count
                if untrimmed >= Self.memory {
                    untrimmed = 0
                    // What fails in memory fails at the next message too, where it is told.
                    _ = try? await store.trimHistory(with: conversation.peerID, keeping: Self.memory)
                }
            }
        }
        let how = if let end { end } else { await conversation.waitUntilEnded() }
        if talks[conversation.peerID]?.conversation === conversation { talks[conversation.peerID] = nil }
        hub.publish([.ended(await description(of: conversation), ConversationEnd(how))])
    }

    /// What there is to say of a conversation.
    func describe(_ conversation: Conversation) async throws(NodeError) -> ConversationInfo {
        let waiting = try await asNode { try await conversation.waitingCount() }
        return await info(conversation, waiting: waiting)
    }

    private func description(of conversation: Conversation) async -> ConversationInfo {
        await info(conversation, waiting: (try? await conversation.waitingCount()) ?? 0)
    }

    private nonisolated func info(_ conversation: Conversation, waiting: Int) async -> ConversationInfo {
        ConversationInfo(
            contact: ContactID(conversation.peerID), peer: PeerInfo(conversation.peer),
            link: await conversation.summary.map { LinkInfo($0) }, undelivered: await conversation.undeliveredCount,
            waiting: waiting)
    }
}

extension NodeEvent {
    /// An event of a conversation with a contact, other than its end.
    fileprivate init(_ event: ConversationEvent, _ contact: ContactID) {
        switch event {
        case .connected(let summary): self = .connected(contact, LinkInfo(summary))
        case .disconnected(let error): self = .disconnected(contact, NodeError(error))
        case .reconnecting(let attempt, let delay):
            self = .reconnecting(contact, attempt: attempt, seconds: delay / .seconds(1))
        case .reconnectionFailed(let error): self = .reconnectionFailed(contact, NodeError(error))
        case .message(let message): self = .message(MessageInfo(message))
        case .stateChanged(let id, let state):
            self = .stateChanged(contact, MessageName(id), MessageInfo.State(state))
        case .ended(let end):
            self = .disconnected(contact, ConversationEnd(end).error ?? NodeError(.sessionEnded, "It is over."))
        }
    }
}
