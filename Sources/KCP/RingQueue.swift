/// A first-in, first-out queue that neither moves elements nor allocates once it has its size.
struct RingQueue<Element> {
    private var slots: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    /// The elements for which there is memory.
    var capacity: Int { slots.count }

    var first: Element? {
        count == 0 ? nil : slots[head]
    }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    @discardableResult
    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head]
        slots[head] = nil
        head = (head + 1) & (slots.count - 1)
        count -= 1
        return element
    }

    /// The element at a distance from the front, which must be less than `count`.
    subscript(offset: Int) -> Element? {
        offset < count ? slots[(head + offset) & (slots.count - 1)] : nil
    }

    /// Gives the memory back when the queue is empty and larger than small.
    mutating func releaseIfIdle() {
        if count == 0, slots.count > 16 {
            slots = []
            head = 0
        }
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(8, slots.count * 2))
        for offset in 0..<count { larger.append(slots[(head + offset) & (slots.count - 1)]) }
        larger.append(contentsOf: repeatElement(nil, count: larger.capacity.roundedDownToPowerOfTwo - count))
        slots = larger
        head = 0
    }
}

extension Int {
    /// The largest power of two that is not larger; the number must be positive.
    var roundedDownToPowerOfTwo: Int { 1 << (Int.bitWidth - 1 - leadingZeroBitCount) }

    /// The smallest power of two that is not smaller; 1 for numbers below.
    var roundedUpToPowerOfTwo: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}

extension RingQueue: Sendable where Element: Sendable {}
