import KamuneSystem

/// Cuts what comes in into lines: a state machine. However long a line is, no more than ``DaemonLimits/lineSize`` bytes of it
/// are held.
struct LineCutter: Sendable {
    /// What was found.
    enum Cut: Sendable, Equatable {
        /// A line, without its end.
        case line([UInt8])
        /// A line that is too long, told when that shows. The rest of it is passed over.
        case tooLong
    }

    private let limit: Int
    private var partial: [UInt8] = []
    private var isPassingOver = false

    init(limit: Int = DaemonLimits.lineSize) {
        self.limit = limit
    }

    /// How many bytes are held.
    var heldCount: Int { partial.count }

    /// Takes bytes.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> [Cut] {
        var cuts: [Cut] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = Self.end(in: rest).map { rest.startIndex + $0 }
            let piece = rest[..<(end ?? rest.endIndex)]
            rest = end.map { rest[($0 + 1)...] } ?? rest[rest.endIndex...]
            if !isPassingOver {
                if partial.count + piece.count > limit {
                    partial = []
                    isPassingOver = true
                    cuts.append(.tooLong)
                } else {
                    partial.append(contentsOf: piece)
                }
            }
            guard end != nil else { break }
            if !isPassingOver { cuts.append(.line(takePartial())) }
            isPassingOver = false
        }
        return cuts
    }

    /// Where a line ends; the library's search is far faster than ours in a program that is not optimised.
    private static func end(in bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes)
        guard let start = bytes.baseAddress, let found = memchr(start, Int32(UInt8(ascii: "\n")), bytes.count) else {
            return nil
        }
        return UnsafeRawPointer(found) - start
    }

    /// Takes the end. A last line need not have one of its own.
    mutating func finish() -> [Cut] {
        defer { isPassingOver = false }
        return isPassingOver || partial.isEmpty ? [] : [.line(takePartial())]
    }

    private mutating func takePartial() -> [UInt8] {
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        defer { partial = [] }
        return partial
    }
}
