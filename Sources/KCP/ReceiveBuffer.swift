/// What arrived: bytes in order for the reader, and segments ahead of the next expected one.
///
/// Both grow on demand and go when they are empty. Together they stay within the byte limit, up to one segment.
struct ReceiveBuffer {
    /// What became of a segment.
    enum Outcome {
        /// New; to be acknowledged.
        case accepted
        /// Known already; to be acknowledged again.
        case duplicate
        /// Outside of the window or beyond the memory; as if it had never come.
        case refused
    }

    /// The number of the first segment of all.
    let first: UInt32
    /// The sequence number that comes next.
    private(set) var next: UInt32
    let window: Int
    var byteLimit: Int

    private var ready: [UInt8] = []
    private var readyHead = 0
    /// Segments ahead of `next`, at the index of their number modulo the size, a power of two.
    private var ahead: [[UInt8]?] = []
    private(set) var aheadCount = 0
    private(set) var aheadBytes = 0

    init(next: UInt32, window: Int, byteLimit: Int) {
        first = next
        self.next = next
        self.window = window
        self.byteLimit = byteLimit
    }

    /// How many segments have arrived in order, as long as those are fewer than 2³¹.
    var count: Int { next.distance(after: first) }

    /// The bytes that can be read.
    var readableCount: Int { ready.count - readyHead }

    /// The bytes of memory for those.
    var capacity: Int { ready.capacity }

    /// How many further segments can be taken in: what to tell the peer.
    var freeWindow: Int {
        let waiting = (readableCount + KCPLimits.referencePayload - 1) / KCPLimits.referencePayload
        let room = (byteLimit - readableCount) / KCPLimits.referencePayload
        return max(0, min(window - waiting, room))
    }

    mutating func accept(_ payload: RawSpan, sequenceNumber: UInt32) -> Outcome {
        let offset = sequenceNumber.distance(after: next)
        if offset < 0 { return .duplicate }
        guard offset < window, readableCount < byteLimit else { return .refused }
        if offset == 0 {
            append(payload)
            next &+= 1
            if aheadCount > 0 { drain() }
            return .accepted
        }
        if offset < ahead.count, ahead[slot(sequenceNumber)] != nil { return .duplicate }
        guard readableCount + aheadBytes + payload.byteCount <= byteLimit else { return .refused }
        if offset >= ahead.count { growAhead(for: offset) }
        ahead[slot(sequenceNumber)] = payload.withUnsafeBytes { Array($0) }
        aheadCount += 1
        aheadBytes += payload.byteCount
        return .accepted
    }

    mutating func read(max limit: Int) -> [UInt8] {
        let count = min(max(limit, 0), readableCount)
        guard count > 0 else { return [] }
        if count == ready.count {
            defer { ready = [] }
            return ready
        }
        let bytes = Array(ready[readyHead..<readyHead + count])
        consume(count)
        return bytes
    }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, readableCount)
        guard count > 0 else { return 0 }
        ready.withUnsafeBytes { source in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[readyHead..<readyHead + count]))
        }
        consume(count)
        return count
    }

    mutating func readAll<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let head = readyHead
        defer { consume(readableCount) }
        return try ready.span.bytes.extracting(droppingFirst: head).withUnsafeBytes(body)
    }

    private mutating func consume(_ count: Int) {
        readyHead += count
        if readyHead == ready.count {
            ready = []
            readyHead = 0
        } else if readyHead >= 65_536, readyHead * 2 >= ready.count {
            ready.removeSubrange(0..<readyHead)
            readyHead = 0
        }
    }

    private mutating func append(_ payload: RawSpan) {
        payload.withUnsafeBytes { ready.append(contentsOf: $0) }
    }

    private mutating func drain() {
        while aheadCount > 0, let payload = ahead[slot(next)] {
            ready.append(contentsOf: payload)
            ahead[slot(next)] = nil
            aheadCount -= 1
            aheadBytes -= payload.count
            next &+= 1
        }
        if aheadCount == 0, ahead.count > 32 { ahead = [] }
    }

    private func slot(_ sequenceNumber: UInt32) -> Int {
        Int(sequenceNumber) & (ahead.count - 1)
    }

    private mutating func growAhead(for offset: Int) {
        let size = max(16, (offset + 1).roundedUpToPowerOfTwo)
        var larger = [[UInt8]?](repeating: nil, count: size)
        for distance in 0..<ahead.count {
            let number = next &+ UInt32(distance)
            larger[Int(number) & (size - 1)] = ahead[slot(number)]
        }
        ahead = larger
    }
}
