public import KamuneCrypto

/// A client's side of its connection to a relay: exchange, key, registration, then messages. It is told what arrives and
/// says what to send; frames are those of the connection, sealed or of the exchange.
public struct RelayClientMachine: ~Copyable, Sendable {
    /// What a client asks of a relay.
    public struct Wish: Sendable {
        /// To wait, or to join.
        public var request: RelayFrame.Request
        /// The relay's key, if it has one.
        public var key: PreSharedKey?

        /// Puts a wish together.
        public init(_ request: RelayFrame.Request, key: PreSharedKey? = nil) {
            self.request = request
            self.key = key
        }
    }

    /// What is to be done.
    public enum Action: Equatable, Sendable {
        /// Send a frame.
        case send([UInt8])
        /// The relay has consented. From now on messages may be sealed; said once.
        case registered(RelayFrame.Registered)
        /// A message of the other client's.
        case message(ArraySlice<UInt8>)
    }

    /// Why the connection cannot go on.
    public enum Failure: Error, Equatable, Sendable {
        /// The relay says why it does not do what was asked.
        case refused(RelayRefusal)
        /// The relay does not speak the protocol.
        case misbehaved(RelayProtocolError)
    }

    /// How far it has come.
    private enum State: ~Copyable {
        case exchanging(RelayExchangeInitiator)
        case open(RelayChannel, Step)
        case failed
    }

    /// What the relay is expected to say within the channel.
    private enum Step: Sendable {
        case acknowledgement
        case registration
        case anything
    }

    private var state: State
    private var refusal: RelayRefusal?
    private let wish: Wish

    /// The first frame to send.
    public let hello: [UInt8]

    /// Begins.
    ///
    /// - Throws: ``Failure/misbehaved(_:)`` when the key is too long or the library fails.
    public init(_ wish: Wish, using random: inout some RandomSource) throws(Failure) {
        self.wish = wish
        if let key = wish.key, key.count > RelayLimits.maximumKeySize {
            throw .misbehaved(.messageTooLarge(size: key.count))
        }
        do throws(RelayProtocolError) {
            let initiator = try RelayExchangeInitiator(using: &random)
            hello = initiator.hello
            state = .exchanging(initiator)
        } catch {
            throw .misbehaved(error)
        }
    }

    /// Whether the relay has consented, and messages may be sealed.
    public var isRegistered: Bool {
        switch state {
        case .open(_, .anything): true
        default: false
        }
    }

    /// Takes a frame of the connection.
    ///
    /// - Throws: after which nothing more is to be given to it.
    public mutating func received(
        _ frame: [UInt8], using encapsulator: inout some Encapsulator
    ) throws(Failure) -> [Action] {
        do throws(RelayProtocolError) {
            switch take() {
            case .exchanging(let initiator):
                let opened = try initiator.receivedAnswer(frame, using: &encapsulator)
                let outgoing = opened.outgoing
                var channel = opened.takeChannel()
                let next: [UInt8]
                if let key = wish.key {
                    next = try channel.seal(.auth(key, extensions: .refusals))
                    state = .open(channel, .acknowledgement)
                } else {
                    next = try channel.seal(.register(.init(wish.request)))
                    state = .open(channel, .registration)
                }
                return [.send(outgoing), .send(next)]
            case .open(var channel, let step):
                let plaintext = try channel.open(frame)
                let reaction = try react(to: plaintext, at: step, &channel)
                switch reaction {
                case .goOn(let actions, let step):
                    state = .open(channel, step)
                    return actions
                case .refused(let reason):
                    refusal = reason
                }
            case .failed:
                throw .unexpectedFrame("after the end")
            }
        } catch {
            throw .misbehaved(error)
        }
        throw .refused(refusal ?? .malformedRequest)
    }

    /// Seals a message for the other client. It must be sent, and in this order.
    ///
    /// - Throws: ``RelayProtocolError/messageTooLarge(size:)``, after which all is as before;
    ///   ``RelayProtocolError/unexpectedFrame(_:)`` before the relay has consented.
    public mutating func seal(message: some Collection<UInt8>) throws(RelayProtocolError) -> [UInt8] {
        try seal(encoded: try RelayFrame.encoded(message: message), "message")
    }

    /// Seals a ping, which the relay answers: to keep what lies between us awake, and to learn whether it is there.
    public mutating func ping() throws(RelayProtocolError) -> [UInt8] {
        try seal(encoded: try RelayFrame.ping.encoded(), "ping")
    }

    private mutating func seal(encoded: [UInt8], _ name: String) throws(RelayProtocolError) -> [UInt8] {
        switch take() {
        case .open(var channel, .anything):
            let sealed: Result<[UInt8], RelayProtocolError> = Result { () throws(RelayProtocolError) in
                try channel.seal(encoded: encoded)
            }
            state = .open(channel, .anything)
            return try sealed.get()
        case let other:
            state = other
            throw .unexpectedFrame(name)
        }
    }

    private mutating func take() -> State {
        var taken = State.failed
        swap(&taken, &state)
        return taken
    }

    private enum Reaction {
        case goOn([Action], Step)
        case refused(RelayRefusal)
    }

    private func react(
        to plaintext: [UInt8], at step: Step, _ channel: inout RelayChannel
    ) throws(RelayProtocolError) -> Reaction {
        let frame: RelayFrame
        do throws(RelayProtocolError) {
            frame = try RelayFrame(decoding: plaintext)
        } catch {
            // As version 0.7 does: once registered, what is no frame is as good as none.
            guard case .anything = step else { throw error }
            return .goOn([], step)
        }
        switch (frame, step) {
        case (.refused(let reason), _):
            return .refused(reason)
        case (.auth, .acknowledgement):
            return .goOn([.send(try channel.seal(.register(.init(wish.request))))], .registration)
        case (.registered(let registered), .registration):
            return .goOn([.registered(registered)], .anything)
        case (.message(let data), .anything):
            return .goOn([.message(data)], .anything)
        case (.ping, _):
            return .goOn([.send(try channel.seal(.pong))], step)
        case (.pong, _), (.unknown, _), (_, .anything):
            return .goOn([], step)
        case (let other, _):
            throw .unexpectedFrame(other.name)
        }
    }
}
