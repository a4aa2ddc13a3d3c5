public import KamuneCrypto
import KamuneProtocol
import KamuneStore
import KamuneTransport
import Synchronization

extension Endpoint {
    /// How many addresses are dialed; who has more has them for no good reason.
    public static let addressLimit = 32

    /// Connects to a peer at whichever of several addresses they are found first, and establishes a session: the addresses are
    /// tried a quarter of a second after one another, or as soon as one fails, over any transport, and each name's addresses
    /// likewise (RFC 8305). We introduce ourselves at one address at a time; where the wrong one answers, the next is asked.
    ///
    /// - Parameters:
    ///   - addresses: The best first; 32 at most are tried.
    ///   - peer: Whom we want to reach; nobody else is accepted then.
    /// - Throws: As ``dial(_:expecting:)``, with the error that tells most; ``KamuneError/addressFailures`` has all.
    public func dial(
        anyOf addresses: [DialAddress], expecting peer: PublicIdentity? = nil
    ) async throws(KamuneError) -> Found<Session> {
        let addresses = Array(addresses.distinct.prefix(Self.addressLimit))
        return try await AddressDialing(addresses, of: peer, by: self).run()
    }

    /// Dials one of several addresses.
    ///
    /// - Parameter turn: Waits, when somebody has answered, until they may be told who we are.
    func dial(
        _ address: DialAddress, expecting peer: PublicIdentity?,
        awaiting turn: @escaping @Sendable () async throws(KamuneError) -> Void
    ) async throws(KamuneError) -> Session {
        let resumes = Mutex(false)
        let connection = try await connect(to: address.text, isTold: address.isTold)
        do throws(KamuneError) {
            return try await establish(
                over: connection, expecting: peer,
                onAnswer: { () async throws(KamuneError) -> ResumptionRight? in
                    try await turn()
                    guard let peer, let right = try await archive?.takeResumption(with: peer) else { return nil }
                    resumes.withLock { $0 = true }
                    return right
                })
        } catch {
            // The token is spent, and introductions tell more; it is still our turn.
            guard resumes.withLock({ $0 }), error.code != .cancelled else { throw error }
            let doubt = error.code == .authenticationFailed ? error : nil
            let another = try await connect(to: address.text, isTold: address.isTold)
            return try await establish(over: another, expecting: peer, after: doubt)
        }
    }
}
