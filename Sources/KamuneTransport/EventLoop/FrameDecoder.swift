/// Cuts frames out of a stream of bytes.
///
/// ```
/// +----------------+------------------+
/// | length, 2 B,   | payload,         |
/// | big-endian     | length bytes     |
/// +----------------+------------------+
/// ```
///
/// A frame that has arrived in part is gathered in its final array, so that each byte is copied once.
struct FrameDecoder {
    /// The bytes in front of each frame.
    static let headerSize = 2
    /// A frame that has not arrived to this extent yet gets no more memory than that, however long it claims to be.
    private static let trustThreshold = 1024

    private enum State {
        case header
        /// The first byte of a length has arrived.
        case halfHeader(UInt8)
        /// The length is known, and less than it has arrived.
        case payload(length: Int)
    }

    private let maximumFrameSize: Int
    private var state = State.header
    private var partial: [UInt8] = []

    init(maximumFrameSize: Int) {
        self.maximumFrameSize = maximumFrameSize
    }

    /// Whether the stream may not end here.
    var isMidFrame: Bool {
        if case .header = state { false } else { true }
    }

    /// How many bytes of memory a frame takes that has arrived in part.
    var held: Int { partial.capacity }

    /// Appends the frames that these bytes complete.
    ///
    /// - Throws: ``TransportError/frameTooLarge(size:limit:)``; the frames before it have been appended, and the decoder must
    ///   not be used again.
    mutating func decode(_ bytes: UnsafeRawBufferPointer, into frames: inout [[UInt8]]) throws(TransportError) {
        var offset = 0
        while offset < bytes.count {
            switch state {
            case .header:
                guard offset &+ Self.headerSize <= bytes.count else {
                    state = .halfHeader(bytes[offset])
                    return
                }
                let length = Int(bytes[offset]) &<< 8 | Int(bytes[offset &+ 1])
                offset &+= Self.headerSize
                try begin(length: length, from: bytes, at: &offset, into: &frames)
            case .halfHeader(let high):
                let length = Int(high) &<< 8 | Int(bytes[offset])
                offset &+= 1
                try begin(length: length, from: bytes, at: &offset, into: &frames)
            case .payload(let length):
                let count = min(length &- partial.count, bytes.count &- offset)
                reserve(length: length, arriving: count)
                partial.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset &+ count)]))
                offset &+= count
                if partial.count == length {
                    frames.append(partial)
                    partial = []
                    state = .header
                }
            }
        }
    }

    /// Handles a length just read: takes the frame if it is whole, else begins to gather it.
    private mutating func begin(
        length: Int,
        from bytes: UnsafeRawBufferPointer,
        at offset: inout Int,
        into frames: inout [[UInt8]]
    ) throws(TransportError) {
        guard length <= maximumFrameSize else {
            throw .frameTooLarge(size: length, limit: maximumFrameSize)
        }
        guard length <= bytes.count &- offset else {
            state = .payload(length: length)
            return
        }
        frames.append([UInt8](UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset &+ length)])))
        offset &+= length
        state = .header
    }

    private mutating func reserve(length: Int, arriving count: Int) {
        let arrived = partial.count &+ count
        let wanted = arrived >= Self.trustThreshold ? length : min(length, Self.trustThreshold)
        if partial.capacity < wanted { partial.reserveCapacity(wanted) }
    }
}
