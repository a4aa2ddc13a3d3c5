public import KamuneRelayProtocol
public import KamuneStore
package import KamuneSystem
public import KamuneTransport

/// The limits and timeouts of an endpoint. The defaults are those of the protocol's specification, §11.
public struct Configuration: Sendable {
    /// How long finding the host and connecting may take.
    public var dialTimeout: Duration = .seconds(10)
    /// How long a handshake may take in all, the verifier's decision included.
    public var handshakeTimeout: Duration = .seconds(30)
    /// How long a connection may be silent before it counts as lost; nil for no limit. Keep-alive pings keep a session
    /// from being silent.
    public var readTimeout: Duration? = .seconds(300)
    /// How long the peer may take nothing of what we send before the connection counts as lost; nil for no limit.
    public var writeTimeout: Duration? = .seconds(60)
    /// How connections over UDP behave on the network, where an address does not say.
    public var udp = UDPOptions()
    /// How long ``Session/close()`` waits for the peer to end its side.
    public var closeTimeout: Duration = .seconds(2)
    /// How long a ``Conversation`` waits for a program of version 0.7 to answer that it has read what it was sent. Not all
    /// answer; what one was sent that does not counts as sent then, unless the connection seems to be lost. Longer than
    /// ``TransportConfiguration/doubtTimeout``, so that this is known by then.
    public var confirmationTimeout: Duration = .seconds(12)
    /// Whether a ``Conversation`` acknowledges a message only when the application is done with it, that is, has asked for the
    /// event after it, instead of when it is stored. For a store in memory, whose messages are gone with the program: what is
    /// called delivered at the other side was then written, or shown, here. Whoever does not take the events to their end
    /// leaves messages unacknowledged.
    public var acknowledgesWhenTaken = false
    /// The largest message that is sent or taken, in bytes; the protocol carries at most 61,435.
    public var maximumMessageSize = 61_435
    /// How long a session may be silent before the peer is pinged; nil to ping never.
    public var keepAliveInterval: Duration? = .seconds(30)
    /// How many pings may go unanswered before the peer counts as gone.
    public var keepAliveStrikes = 3
    /// How many bytes are held for one peer, of what it sent and nobody took, and of what it has not taken of ours, before
    /// it is made to wait; 4 MiB by default. All strangers who have connected to this process share 64 MiB besides.
    public var maximumHeldBytes = 4 << 20
    /// How many connections of a listener may be in their handshake at once: 256, or a quarter of the files that may be
    /// open, if that is less. Half of the places are for those who have not introduced themselves, a quarter for
    /// strangers, and a quarter for whom we know and who resumes a session. In each of these, sixteen are for one
    /// network (/64, /24), and eight in all for one identity. Beyond it, somebody from where most are is dropped.
    ///
    /// Over UDP, addresses that have proven nothing have ``UDPOptions/unprovenLimit`` places besides.
    public var maximumPendingHandshakes = 256
    /// How many established sessions of a listener wait for the application before no more connections are taken.
    public var maximumWaitingSessions = 64
    /// Whether to announce what we can do beyond protocol 0.7. Without, every byte is as 0.7 sends it.
    public var announcesCapabilities = true

    /// Where a peer is told that we want to be found, the best first; nil to tell nothing, as it is by default.
    ///
    /// It is asked about a peer of a ``Messenger`` whom the person has accepted, when a session begins and after
    /// ``Messenger/routesChanged()``: addresses as for ``Endpoint/dial(_:expecting:)``, nil to leave things as they are, none to
    /// take back what was told. Eight of them are told, 1 KiB at most, and private ones only to a peer who reaches us over a
    /// private address too, which the second argument says. It is 30 days until the peer forgets them (docs/PROTOCOL.md §10.7).
    public var routes: (@Sendable (_ peer: PeerID, _ isSharedLink: Bool) async -> [String]?)?

    /// Whether a stranger who is to wait (``Verdict/wait``) is let prove that it holds its key, and say a few words, before it
    /// is noted. That shows our key and our name to strangers, so it is off by default; then a request is noted as unproven.
    public var takesRequests = false
    /// What we say to a peer who has us wait to be accepted: 1,024 bytes of UTF-8 at most.
    public var requestNote = ""
    /// Told of every request that was noted, new or again, from whichever listener.
    public var onRequest: (@Sendable (StoredRequest) -> Void)?

    /// The key of relays that have one; see docs/RELAY.md.
    public var relayKey: PreSharedKey?

    /// What everything is timed by: the system's clocks, unless a test moves its own.
    package var alarms = AlarmClock.shared
    /// What strangers share: that of the process, unless a test has its own.
    package var strangers = MemoryPool.strangers
    /// The clocks of ``alarms``.
    package var time: any TimeSource { alarms.time }

    /// The defaults.
    public init() {}
}
