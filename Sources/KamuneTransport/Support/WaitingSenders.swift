internal import DequeModule
internal import NIOCore

/// A sender that waits for room, with what it wants to send.
struct WaitingSender {
    let ticket: UInt64
    let frames: [[UInt8]]
    let since = NIODeadline.now()
    /// Is given what went wrong; `nil` when the frames were taken.
    let continuation: CheckedContinuation<TransportError?, Never>
}

/// The senders that wait for room, first come, first served.
struct WaitingSenders {
    private var senders: Deque<WaitingSender> = []

    var isEmpty: Bool { senders.isEmpty }

    /// Since when the first has been waiting.
    var waitingSince: NIODeadline? { senders.first?.since }

    mutating func append(_ sender: WaitingSender) {
        senders.append(sender)
    }

    mutating func popFirst() -> WaitingSender? {
        senders.popFirst()
    }

    mutating func remove(_ ticket: UInt64) -> WaitingSender? {
        guard let index = senders.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return senders.remove(at: index)
    }

    mutating func removeAll() -> [WaitingSender] {
        let all = [WaitingSender](senders)
        senders = []
        return all
    }
}
