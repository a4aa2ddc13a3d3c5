internal import NIOCore

/// How a UDP socket is read: how many messages one call of the system may bring, and the room for each.
///
/// The channel keeps what it once read into. One socket of a listener serves all its sessions and may have much; one that
/// was made to dial serves a single session, which is idle most of the time.
enum UDPReadBuffers {
    /// A few datagrams of usual size.
    case few
    /// Many: where the system joins datagrams (`UDP_GRO`), each message is many of them.
    case many

    /// The room for one message.
    var messageSize: Int {
        switch self {
        case .few: 2048
        case .many: 65_536
        }
    }

    private var messageCount: Int {
        switch self {
        case .few: 8
        case .many: 4
        }
    }

    /// So many datagrams in one turn of reading are bulk.
    static let bulk = 24

    func apply(to options: any NIOSynchronousChannelOptions) throws {
        // The room first, then what needs it.
        try options.setOption(
            .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: messageCount * messageSize))
        try options.setOption(.datagramVectorReadMessageCount, value: messageCount)
        guard case .many = self else { return }
        // Only Linux can; elsewhere each datagram is a message.
        if (try? options.setOption(.datagramReceiveSegmentSize, value: true)) != nil {
            try? options.setOption(.datagramReceiveOffload, value: true)
        }
    }
}
