import KamuneCrypto
import KamuneTestSupport

/// An input read as a series of decisions. Beyond its end everything is zero, so that every input is a whole one.
struct Choices {
    private var rest: ArraySlice<UInt8>

    init(_ input: [UInt8]) {
        rest = input[...]
    }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// A number from 0 up to but not including `bound`, at most 256.
    mutating func below(_ bound: Int) -> Int { Int(byte()) % bound }

    mutating func number() -> UInt64 {
        // Mostly small ones, and now and then a huge one.
        switch byte() {
        case 0xff: .max
        case 0xfe: (0..<8).reduce(0) { number, _ in number << 8 | UInt64(byte()) }
        case let small: UInt64(small)
        }
    }

    /// As many bytes as the next two say.
    mutating func bytes() -> [UInt8] {
        let count = min(Int(byte()) | Int(byte()) << 8, rest.count)
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func remaining() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }

    /// The same bytes but for a few places, or a shorter or longer end.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        switch below(4) {
        case 0:
            return Array(result.prefix(Int(number() % UInt64(result.count + 1))))
        case 1:
            return result + self.bytes()
        default:
            for _ in 0...below(4) where !result.isEmpty {
                let position = (Int(byte()) << 8 | Int(byte())) % result.count
                result[position] = byte()
            }
            return result
        }
    }
}

/// Who takes part. Made once: a key costs more than a run.
enum People {
    static let victim = Result { try person(1) }
    static let attacker = Result { try person(2) }

    private static func person(_ seed: UInt64) throws -> Identity {
        var random = SeededRandom(seed)
        return try Identity.generate(.ed25519, using: &random)
    }
}
