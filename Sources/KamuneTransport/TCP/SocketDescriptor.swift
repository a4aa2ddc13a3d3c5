internal import KamuneSystem

/// A second descriptor of a channel's socket, through which senders write from their own thread.
///
/// Waking the event loop's thread for each frame costs several times what the write costs. A descriptor of our own, since
/// the channel closes its one when it likes, and its number may be another connection's by the time that a sender uses it.
final class SocketDescriptor: Sendable {
    private let descriptor: CInt

    /// Duplicates a descriptor; `nil` when the system has none left.
    init?(duplicating original: CInt) {
        let copy = fcntl(original, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return nil }
        descriptor = copy
    }

    deinit {
        _ = close(descriptor)
    }

    /// Writes a header and a payload as far as the system takes them now.
    ///
    /// - Returns: How many bytes it took; 0 also when something is wrong, which the channel finds out in its own time.
    func write(header: UInt16, payload: [UInt8]) -> Int {
        withUnsafeBytes(of: header.bigEndian) { header in
            payload.withUnsafeBytes { payload in
                withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
                    // The system reads these only, although the type says otherwise.
                    parts.initializeElement(
                        at: 0,
                        to: iovec(
                            iov_base: UnsafeMutableRawPointer(mutating: header.baseAddress), iov_len: header.count)
                    )
                    parts.initializeElement(
                        at: 1,
                        to: iovec(
                            iov_base: UnsafeMutableRawPointer(mutating: payload.baseAddress), iov_len: payload.count)
                    )
                    var message = msghdr()
                    message.msg_iov = parts.baseAddress
                    message.msg_iovlen = .init(parts.count)
                    return Swift.max(sendmsg(descriptor, &message, Self.flags), 0)
                }
            }
        }
    }

    /// Writes bytes as far as the system takes them now. See ``write(header:payload:)``.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        Swift.max(send(descriptor, bytes.baseAddress, bytes.count, Self.flags), 0)
    }

    /// Where there is no flag for the signal, the channel has set the option.
    private static var flags: CInt { SendFlags.withoutWaiting | SendFlags.withoutSignal }
}
