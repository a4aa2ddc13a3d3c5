internal import NIOCore
internal import Synchronization

/// The large buffers that all connections of the process take turns in using.
///
/// An idle connection holds none, and a busy one does not make the allocator give memory back to the system only to ask
/// for it again, which costs more than copying what is in it.
final class BufferPool: Sendable {
    /// For what comes from sockets.
    static let reading = BufferPool()
    /// For what goes to sockets.
    static let writing = BufferPool()

    /// What a fresh buffer holds: two frames of the largest size. Also what one read of a socket may bring.
    static let bufferCapacity = 128 * 1024
    /// A buffer that has grown beyond this is not kept.
    private static let capacityCeiling = 512 * 1024
    /// How many unused buffers are kept.
    private static let countCeiling = 16

    private let buffers = Mutex<[ByteBuffer]>([])

    private init() {}

    /// An empty buffer, which the caller owns.
    func take() -> ByteBuffer {
        buffers.withLock { $0.popLast() } ?? ByteBufferAllocator().buffer(capacity: Self.bufferCapacity)
    }

    /// Takes a buffer back. Nobody else may be using its storage by the time that it is taken again.
    func give(_ buffer: ByteBuffer) {
        guard buffer.capacity >= Self.bufferCapacity, buffer.capacity <= Self.capacityCeiling else { return }
        var buffer = buffer
        // Not `clear()`, which would replace the storage, since the caller still refers to it.
        buffer.moveReaderIndex(to: 0)
        buffer.moveWriterIndex(to: 0)
        buffers.withLock { buffers in
            if buffers.count < Self.countCeiling { buffers.append(buffer) }
        }
    }
}

/// Lets a channel read into buffers of the pool, where each channel would otherwise keep one of its own.
///
/// The channel keeps the first buffer it is ever given (for reuse, which it then does not do, because every reading is
/// said to ask for growth). So that one is small. Requires that the channel reads once each time it is readable.
struct PooledReceiveAllocator: RecvByteBufferAllocator {
    private static let firstCapacity = 256
    private var isFirst = true

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isFirst ? allocator.buffer(capacity: Self.firstCapacity) : BufferPool.reading.take()
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        return true
    }
}
