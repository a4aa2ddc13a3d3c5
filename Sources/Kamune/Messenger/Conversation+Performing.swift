import Foundation
import KamuneCrypto
import KamuneProtocol
import KamuneStore
import KamuneSystem

// What the machine says is done here, and nothing is decided.

/// A session of a conversation, and what it is to send.
struct Carrier {
    let session: Session
    /// In order.
    var commands: [Command] = []
    var isSending = false
    /// What the session's budget was told of the bytes that have come over it and are not stored yet.
    var unstoredBytes = 0

    enum Command {
        case send([[UInt8]])
        case ping
    }
}

extension Conversation {
    func perform(_ action: ConversationMachine.Action) {
        switch action {
        case .read(let link): read(link)
        case .send(let link, let payloads): enqueue(.send(payloads), link)
        case .ping(let link): enqueue(.ping, link)
        case .sayGoodbye(let link): sayGoodbye(link)
        case .abandon(let link, let reason): carriers[link]?.session.abandon(KamuneError(reason, storeError))
        case .dial: dial()
        case .stopDialing: dialing?.cancel()
        case .findRoutes(let link): findRoutes(link)
        case .store(let operation): enqueue(judged(operation))
        case .notify(let notice): notify(notice)
        case .conclude(let conclusion): conclude(sessionEnd(conclusion))
        }
    }

    // MARK: Sessions

    /// How many messages are read from a session at once.
    private static let readLimit = 256

    private func read(_ link: LinkID) {
        guard let session = carriers[link]?.session else { return }
        Task {
            do throws(KamuneError) {
                if let batch = try await session.core.inbox.nextBatch(atMost: Self.readLimit) {
                    post(.received(link, batch.map { ConversationMachine.Arrival($0) }))
                    return
                }
            } catch {
                // The session's end tells more.
            }
            left(link, await session.waitUntilEnded())
        }
    }

    /// What has left the session's inbox and is not stored yet goes on counting in its budget; once stored, it counts there
    /// until the application has taken it.
    func countUnstoredBytes() {
        for (link, carrier) in carriers {
            let bytes = machine.unstoredBytes(of: link)
            guard bytes != carrier.unstoredBytes else { continue }
            carrier.session.core.budget.add(bytes - carrier.unstoredBytes)
            carriers[link]?.unstoredBytes = bytes
        }
    }

    private func left(_ link: LinkID, _ end: SessionEnd) {
        switch end {
        case .closedByUs: post(.left(link, .closedByUs))
        case .closedByPeer: post(.left(link, .closedByPeer))
        case .failed(let error):
            losses[link] = error
            post(.left(link, .lost(mayPass: error.mayPass)))
        }
    }

    private func enqueue(_ command: Carrier.Command, _ link: LinkID) {
        guard carriers[link] != nil else { return }
        carriers[link]?.commands.append(command)
        guard carriers[link]?.isSending == false else { return }
        carriers[link]?.isSending = true
        Task { await sendQueued(link) }
    }

    private func sendQueued(_ link: LinkID) async {
        while let carrier = carriers[link], let command = carrier.commands.first {
            carriers[link]?.commands.removeFirst()
            switch command {
            case .send(let payloads):
                post(.sent(link, count: await carrier.session.core.send(contentsOf: payloads)))
            case .ping:
                // Its answer is not waited for here.
                Task {
                    if (try? await carrier.session.ping()) != nil { post(.ponged(link)) }
                }
            }
        }
        carriers[link]?.isSending = false
    }

    private func sayGoodbye(_ link: LinkID) {
        guard let session = carriers[link]?.session else { return }
        goodbye = Task { await session.close() }
    }

    // MARK: Dialing

    private func dial() {
        guard let (way, identity) = redialing else { return }
        dialing = Task {
            do throws(KamuneError) {
                let session = try await dial(way, expecting: identity)
                // Also when it was called off meanwhile: the peer has this session too, and both must choose the same.
                if !attach(session) { await session.close() }
            } catch {
                let isFinal = await isFinal(error)
                if Task.isCancelled { return }
                dialError = error
                post(.dialFailed(isFinal ? .isFinal : .mayPass))
            }
        }
    }

    private func dial(_ way: WayBack, expecting identity: PublicIdentity) async throws(KamuneError) -> Session {
        let endpoint = endpoint.verified(by: way.verifier).named(way.name).with(way.settings)
        let addresses = (way.addresses + (await book.addresses(of: peerID))).distinct
        if addresses.count == 1, !addresses[0].isTold {
            return try await endpoint.dial(addresses[0].text, expecting: identity)
        }
        do throws(KamuneError) {
            let found = try await endpoint.dial(anyOf: addresses, expecting: identity)
            await book.note(found, of: peerID)
            redialing?.way.addresses = way.addresses.moved(toFront: found.address)
            return found.carrier
        } catch {
            // What a person gave is tried each time.
            await book.note(error.addressFailures.filter(\.address.isTold), of: peerID)
            throw error
        }
    }

    /// Whether no attempt to connect will ever fare better. Before the handshake is through, everything may come from somebody
    /// else: a network that wants one to log in first answers on every port, and whoever is on the path can refuse, or show a
    /// key of his own.
    private func isFinal(_ error: KamuneError) async -> Bool {
        switch error.code {
        case .invalidAddress, .misuse: true
        // Our own person's word counts, whoever made us ask.
        case .refusedByUs: (try? await store.peer(peerID))?.isBlocked ?? false
        default: false
        }
    }

    // MARK: Telling

    private func notify(_ notice: ConversationMachine.Notice) {
        switch notice {
        case .connected(let link):
            losses = losses.filter { $0.key == link }
            guard let session = carriers[link]?.session else { return }
            events.queue.add(.connected(SessionSummary(session)))
        case .disconnected(let link):
            events.queue.add(.disconnected(losses[link] ?? .lost))
        case .reconnecting(let attempt, let delay):
            events.queue.add(.reconnecting(attempt: attempt, delay: delay))
        case .attemptFailed:
            events.queue.add(.reconnectionFailed(dialError ?? .lost))
        case .changed(let ids, let progress):
            let state = MessageState(progress)
            events.queue.add(ids.map { .stateChanged(MessageID($0), state) })
        }
    }

    private func sessionEnd(_ conclusion: ConversationMachine.Conclusion) -> SessionEnd {
        switch conclusion {
        case .closedByUs: .closedByUs
        case .closedByPeer: .closedByPeer
        case .failed(.link(let link)): .failed(losses[link] ?? .lost)
        case .failed(.dialing): .failed(dialError ?? .lost)
        case .failed(.store): .failed(storeError ?? .lost)
        case .failed(.violation(let error)): .failed(KamuneError(error))
        }
    }

    // MARK: The store

    private func enqueue(_ operation: ConversationMachine.StoreOperation) {
        operations.append(operation)
        guard storing == nil else { return }
        storing = Task { await performOperations() }
    }

    /// Has the store do what it is to do: all that there is at a time in one transaction.
    private func performOperations() async {
        while !operations.isEmpty {
            let batch = operations
            operations = []
            do throws(StoreError) {
                let results = try await store.perform(
                    batch, with: peerID, in: session?.record?.id,
                    sessions: carriers.compactMapValues { $0.session.record?.id },
                    at: endpoint.configuration.time.date)
                for result in results { stored(result) }
            } catch {
                let error = KamuneError(conversation: error)
                storeError = error
                for operation in batch { notStored(operation, error) }
            }
        }
        storing = nil
    }

    private func stored(_ result: StoreResult) {
        switch result.outcome {
        case .appended(let write, _, _):
            writers.removeValue(forKey: write)?.resume(returning: .success(result.messages))
        case .kept(let link, _, _):
            events.queue.add(result.messages, in: carriers[link]?.session.core.budget)
        case .notAppended, .began, .settled, .fetched, .keptRoutes, .failed: break
        }
        post(.stored(result.outcome))
    }

    private func notStored(_ operation: ConversationMachine.StoreOperation, _ error: KamuneError) {
        if case .append(let write, let messages, let handover) = operation {
            writers.removeValue(forKey: write)?.resume(returning: .failure(error))
            post(.stored(.notAppended(messages.map(\.id), for: handover)))
        } else {
            post(.stored(.failed))
        }
    }
}

extension KamuneError {
    /// An error of the store, as it looks to whoever talks.
    fileprivate init(conversation error: StoreError) {
        switch error {
        case .noSuchRecord:
            self.init(
                .sessionEnded, "The peer is known under another key now, and the conversation goes on there.",
                cause: error)
        default:
            self.init(error)
        }
    }

    fileprivate static let lost = KamuneError(.connectionLost, "The connection is lost.")

    /// Why a conversation gives a session up.
    fileprivate init(_ reason: ConversationMachine.Abandonment, _ storeError: KamuneError?) {
        switch reason {
        case .replaced: self.init(.connectionLost, "Another session has taken this one's place.")
        case .overloaded: self.init(.overloaded, "Earlier messages were not taken yet.")
        case .unwanted: self.init(.sessionEnded, "The conversation is over.")
        case .violation(let error): self.init(error)
        case .storeFailed: self = storeError ?? .lost
        }
    }

    /// Whether another connection may fare better after this one, which was established. What cannot be decrypted may come
    /// from anybody in between; what breaks the rules comes from the peer.
    var mayPass: Bool {
        switch code {
        case .protocolViolation, .incompatible, .misuse: false
        default: true
        }
    }
}

extension ConversationMachine.Arrival {
    fileprivate init(_ message: Message) {
        self.init(
            payload: message.bytes, sent: message.sentAt?.milliseconds, received: message.receivedAt.milliseconds)
    }
}

extension MessageState {
    init(_ progress: ConversationMachine.Progress) {
        switch progress {
        case .inFlight: self = .inFlight
        case .sent: self = .sent
        case .delivered: self = .delivered
        case .maybeLost: self = .maybeLost
        }
    }
}
