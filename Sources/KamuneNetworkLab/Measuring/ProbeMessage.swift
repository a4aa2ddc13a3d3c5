/// What the two measuring programs say to each other. Both run on one machine, so that they share a clock.
enum ProbeMessage {
    /// To be sent back at once.
    case echo(Echo)
    /// To be counted; the answer to the first one comes after so many tenths of a second.
    case bulk(tenths: UInt16)
    /// How much was counted after the first bulk message, and in how many nanoseconds.
    case report(bytes: UInt64, time: UInt64)

    struct Echo {
        var number: UInt64
        /// When it left and when it was answered, by a clock that both read alike.
        var sentAt: UInt64
        var answeredAt: UInt64
    }

    /// A message of the size that people write.
    static let echoSize = 64

    init?(_ bytes: [UInt8]) {
        func number(_ index: Int) -> UInt64 {
            bytes[(1 + 8 * index)..<(9 + 8 * index)].reduce(0) { $0 << 8 | UInt64($1) }
        }
        switch bytes.first {
        case 1 where bytes.count >= 25:
            self = .echo(Echo(number: number(0), sentAt: number(1), answeredAt: number(2)))
        case 2 where bytes.count >= 3: self = .bulk(tenths: UInt16(bytes[1]) << 8 | UInt16(bytes[2]))
        case 3 where bytes.count >= 17: self = .report(bytes: number(0), time: number(1))
        default: return nil
        }
    }

    /// The message, filled up to a size.
    func encoded(size: Int = echoSize) -> [UInt8] {
        var bytes: [UInt8]
        switch self {
        case .echo(let echo):
            bytes = [1] + Self.bytes(echo.number) + Self.bytes(echo.sentAt) + Self.bytes(echo.answeredAt)
        case .bulk(let tenths): bytes = [2, UInt8(tenths >> 8), UInt8(tenths & 0xff)]
        case .report(let count, let time): bytes = [3] + Self.bytes(count) + Self.bytes(time)
        }
        if bytes.count < size { bytes += [UInt8](repeating: 0, count: size - bytes.count) }
        return bytes
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    }
}
