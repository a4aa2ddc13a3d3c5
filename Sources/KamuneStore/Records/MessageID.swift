public import KamuneCrypto

/// A message's stable name, 16 bytes, the same on both sides: one of a peer's messages never has another's.
///
/// The first eight bytes name a stream, the last eight number the messages within it. What the store names itself
/// (``NewMessage/id`` left out) is in a stream that is new each time the store is opened, and counts up: so an old copy of
/// the file that is put back in place never gives a name twice. Names made otherwise work too, only a little slower.
public struct MessageID: Hashable, Sendable {
    /// The first eight bytes.
    public let stream: UInt64
    /// The last eight bytes.
    public let number: UInt64

    /// The size in bytes.
    public static let size = 16

    /// A name of two halves.
    public init(stream: UInt64, number: UInt64) {
        self.stream = stream
        self.number = number
    }

    /// A random name.
    public static func random(using random: inout some RandomSource) -> MessageID {
        MessageID(stream: random.integer(), number: random.integer())
    }

    /// Reads 16 bytes, most significant first; `nil` for any other count.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.size else { return nil }
        stream = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        number = bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The 16 bytes, most significant first.
    public var bytes: [UInt8] {
        var writer = RecordWriter()
        writer.append(stream)
        writer.append(number)
        return writer.bytes
    }
}

extension MessageID: CustomStringConvertible {
    /// 32 hexadecimal digits.
    public var description: String {
        [stream, number].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
