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
    private var senders: [WaitingSender] = []
    /// The senders before this index are gone.
    private var head = 0

    var isEmpty: Bool { head == senders.count }

    /// Since when the first has been waiting.
    var waitingSince: NIODeadline? { isEmpty ? nil : senders[head].since }

    mutating func append(_ sender: WaitingSender) {
        senders.append(sender)
    }

    mutating func popFirst() -> WaitingSender? {
        guard !isEmpty else { return nil }
        let sender = senders[head]
        head &+= 1
        if isEmpty {
            self = WaitingSenders()
        } else if head >= 32, head &* 2 >= senders.count {
            senders.removeFirst(head)
            head = 0
        }
        return sender
    }

    mutating func remove(_ ticket: UInt64) -> WaitingSender? {
        guard let index = senders[head...].firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return senders.remove(at: index)
    }

    mutating func removeAll() -> [WaitingSender] {
        let all = [WaitingSender](senders[head...])
        self = WaitingSenders()
        return all
    }
}
