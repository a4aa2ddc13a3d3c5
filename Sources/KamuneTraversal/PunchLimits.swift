/// What a try to reach somebody directly may cost others.
///
/// Where somebody is, the broker says, or the peer: either may name a third party. So few datagrams go to an address from
/// which nobody has shown the secret.
public struct PunchLimits: Sendable, Hashable {
    /// How many datagrams go to one endpoint that has not answered: as many as 0.7 sends.
    public var datagramsPerEndpoint = 5
    /// How many go to one from which somebody who knows the secret has asked, but not answered yet: answers get lost.
    public var datagramsPerHeardEndpoint = 12
    /// How many go to one address that has not answered, when only the broker has said that it is the peer's.
    public var datagramsPerStrangerAddress = 8
    /// How many go there when the peer itself has said so, over a session: what a guess of ports takes.
    public var datagramsPerPeerAddress = 1100
    /// Of how many endpoints from which questions come we ask back, beside those that we were told.
    public var triggeredEndpoints = 16

    /// How many ports are foretold of a NAT that has a rule. Others behind it take some.
    public var predictedPorts = 12
    /// How many sockets the side behind a symmetric NAT opens, and how many ports the other side guesses. Of 64,512 ports
    /// with 256 in use, 1,024 guesses miss all once in 60 times: (1 − 256/64512)¹⁰²⁴ ≈ 0.017.
    public var birthdaySockets = 256
    /// See ``birthdaySockets``.
    public var birthdayGuesses = 1024
    /// When guessing begins, if nothing simpler has worked by then.
    public var birthdayDelay = Duration.milliseconds(200)
    /// The time between two datagrams of one side's guessing.
    public var birthdayInterval = Duration.microseconds(700)
    /// The lowest port that is guessed: NATs leave the others to services (RFC 4787, section 4.2.1).
    public var lowestGuessedPort: UInt16 = 1024

    /// When each endpoint is tried, since the begin. Both sides begin at about the same time, and the first datagram of
    /// one is mostly dropped by the other's NAT.
    public var tries: [Duration] = [
        .zero, .milliseconds(100), .milliseconds(300), .milliseconds(700), .milliseconds(1500),
    ]
    /// When it is given up.
    public var timeout = Duration.seconds(10)

    /// The defaults.
    public init() {}
}
