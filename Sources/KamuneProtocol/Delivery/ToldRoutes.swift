/// Where one side of a session wants to be found, as it tells the other (§10.7): addresses as texts, the best first.
///
/// There are never more of them, and they never have more bytes, than one telling may hold. What stands in them is the
/// teller's word: whoever takes it looks at it first.
public struct ToldRoutes: Equatable, Sendable {
    /// The addresses.
    public let texts: [String]

    /// How many one telling may hold (§10.7).
    public static let maximumCount = 8
    /// How many bytes these may have together (§10.7).
    public static let maximumSize = 1_024
    /// How often one side may tell in a session; what comes beyond is passed over (§10.7).
    public static let maximumTellings = 64
    /// The most bytes of a telling's payload: its first byte, the count, and two bytes of length for each.
    public static let maximumPayloadSize = 2 + 2 * maximumCount + maximumSize

    /// The first of these texts that fit into a telling. Those that are empty, or too long by themselves, are left out.
    public init(_ candidates: some Sequence<String>) {
        var texts: [String] = []
        var room = Self.maximumSize
        for text in candidates where texts.count < Self.maximumCount && !text.isEmpty {
            let size = text.utf8.count
            guard size <= room, !texts.contains(text) else { continue }
            room -= size
            texts.append(text)
        }
        self.texts = texts
    }

    /// Reads what follows the first byte of a frame; nil when it is of another form.
    init?(decoding bytes: ArraySlice<UInt8>) {
        guard let count = bytes.first, count <= Self.maximumCount else { return nil }
        var rest = bytes.dropFirst()
        var texts: [String] = []
        var size = 0
        for _ in 0..<count {
            guard rest.count >= 2 else { return nil }
            let length = rest.prefix(2).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(2)
            size += length
            guard length > 0, size <= Self.maximumSize, rest.count >= length,
                let text = String(validating: rest.prefix(length), as: UTF8.self)
            else { return nil }
            texts.append(text)
            rest = rest.dropFirst(length)
        }
        guard rest.isEmpty else { return nil }
        self.texts = texts
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(UInt8(truncatingIfNeeded: texts.count))
        for text in texts {
            let utf8 = Array(text.utf8)
            bytes.append(UInt8(truncatingIfNeeded: utf8.count >> 8))
            bytes.append(UInt8(truncatingIfNeeded: utf8.count))
            bytes += utf8
        }
    }
}

/// What one side of a session has told of where it wants to be found, and is to tell.
struct RouteTelling: Sendable {
    private var told: ToldRoutes?
    private var next: ToldRoutes?
    private var tellings = 0
    /// How often the other side has told.
    private var heard = 0

    /// What is to be said now, if that is not what was said last.
    mutating func tell(_ routes: ToldRoutes) { next = routes == told ? nil : routes }

    /// What is to be sent.
    mutating func take() -> ToldRoutes? {
        guard let routes = next.take(), tellings < ToldRoutes.maximumTellings else { return nil }
        tellings += 1
        told = routes
        return routes
    }

    /// - Returns: Whether what the other side tells is looked at.
    mutating func hears() -> Bool {
        guard heard < ToldRoutes.maximumTellings else { return false }
        heard += 1
        return true
    }
}
