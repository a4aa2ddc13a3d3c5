internal import NIOCore

/// The two families of IP addresses, the preferred one first (RFC 8305, section 4).
enum AddressFamily: CaseIterable {
    case ipv6
    case ipv4
}

/// Which of a name's addresses is tried when (RFC 8305): the families in turn, each address a moment after the one before,
/// or as soon as that has failed. What was begun goes on beside the others.
///
/// A machine: it is told what has happened and the time, and says what to try. Whoever drives it ends it when one of the
/// attempts has succeeded.
struct AddressRace<Address> {
    /// What is to be done.
    enum Action {
        /// Begin an attempt; they are numbered from 0 on.
        case start(Int, Address)
        /// Nothing is left to be tried. It is the last action.
        case exhausted
    }

    /// How long IPv4 waits for the answer about IPv6 ("Resolution Delay").
    static var resolutionDelay: TimeAmount { .milliseconds(50) }
    /// How long an attempt is alone ("Connection Attempt Delay").
    static var attemptDelay: TimeAmount { .milliseconds(250) }
    /// How many addresses of a family are tried. Nobody has more for a reason, and who answers for a name may be anybody.
    static var addressLimit: Int { 16 }

    private var unanswered = Set(AddressFamily.allCases)
    private var untried: [AddressFamily: [Address]] = [:]
    private var latest: AddressFamily?
    private var running: Set<Int> = []
    /// How many attempts were begun.
    private var attemptCount = 0
    private var notBefore: NIODeadline
    /// Whether nothing is tried yet.
    private(set) var isHeld: Bool
    private var isOver = false

    /// - Parameter isHeld: Whether nothing is tried before ``release(at:)``.
    init(isHeld: Bool = false, at now: NIODeadline) {
        self.isHeld = isHeld
        notBefore = now
    }

    /// Whether an address is known that was not tried.
    private var hasUntried: Bool { AddressFamily.allCases.contains { hasUntried($0) } }

    /// When to call ``advance(at:)``; `nil` if there is nothing to wait for but answers and failures.
    var nextDeadline: NIODeadline? {
        !isOver && !isHeld && hasUntried ? notBefore : nil
    }

    /// Nothing keeps the attempts back any more.
    mutating func release(at now: NIODeadline) -> [Action] {
        isHeld = false
        return advance(at: now)
    }

    /// The addresses of a family are known; none if there are none, or if the question failed.
    mutating func resolved(_ family: AddressFamily, _ addresses: [Address], at now: NIODeadline) -> [Action] {
        guard unanswered.remove(family) != nil else { return [] }
        untried[family] = Array(addresses.prefix(Self.addressLimit))
        if attemptCount == 0 {
            notBefore = unanswered.contains(.ipv6) ? now + Self.resolutionDelay : now
        }
        return advance(at: now)
    }

    /// An attempt has come to nothing.
    mutating func failed(_ attempt: Int, at now: NIODeadline) -> [Action] {
        guard running.remove(attempt) != nil else { return [] }
        notBefore = min(notBefore, now)
        return advance(at: now)
    }

    /// What is to be done now.
    mutating func advance(at now: NIODeadline) -> [Action] {
        guard !isOver else { return [] }
        var actions: [Action] = []
        while !isHeld, now >= notBefore, let address = takeNext() {
            actions.append(.start(attemptCount, address))
            running.insert(attemptCount)
            attemptCount += 1
            notBefore = now + Self.attemptDelay
        }
        if unanswered.isEmpty, running.isEmpty, !hasUntried {
            isOver = true
            actions.append(.exhausted)
        }
        return actions
    }

    private func hasUntried(_ family: AddressFamily) -> Bool { untried[family]?.isEmpty == false }

    private mutating func takeNext() -> Address? {
        let other = AddressFamily.allCases.first { $0 != latest && hasUntried($0) }
        guard let family = other ?? AddressFamily.allCases.first(where: { hasUntried($0) }) else { return nil }
        latest = family
        return untried[family]?.removeFirst()
    }
}
