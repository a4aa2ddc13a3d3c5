import KamuneCrypto

/// Reads JSON (RFC 8259) from bytes that anybody may have sent: what it builds is bounded by what it reads, and it goes no
/// deeper than ``depthLimit``.
///
/// As the programs read that ours replaces, bytes that are no UTF-8, and halves of surrogate pairs, are read as U+FFFD.
public struct JSONParser {
    /// How deep values may be nested. The protocol's messages need three levels.
    public static let depthLimit = 64
    /// The names of members whose texts are secrets. They are read into memory that is erased.
    public static let secretNames: Set<String> = ["passphrase", "password"]

    /// What is wrong with a text.
    public struct Malformed: Error, Equatable, CustomStringConvertible {
        /// In words, without anything of the text.
        public let description: String

        init(_ description: String) {
            self.description = description
        }
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var depth = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// Reads the one value that a text holds.
    public static func parse(_ bytes: [UInt8]) throws(Malformed) -> JSONValue {
        try bytes.withUnsafeBufferPointer { (bytes) throws(Malformed) in
            var parser = JSONParser(bytes)
            let value = try parser.value(isSecret: false)
            parser.skipSpace()
            guard parser.position == bytes.count else { throw parser.unexpected("after the value") }
            return value
        }
    }

    // MARK: Values

    private mutating func value(isSecret: Bool) throws(Malformed) -> JSONValue {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try nested { (parser) throws(Malformed) in try parser.object() }
        case UInt8(ascii: "["): return try nested { (parser) throws(Malformed) in try parser.list() }
        case UInt8(ascii: "\""):
            return isSecret ? .secret(try secret()) : .text(try text())
        case UInt8(ascii: "t"):
            try word("true")
            return .flag(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .flag(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
        default: throw unexpected("where a value should begin")
        }
    }

    private mutating func nested(
        _ read: (inout JSONParser) throws(Malformed) -> JSONValue
    ) throws(Malformed) -> JSONValue {
        guard depth < Self.depthLimit else { throw Malformed("values are nested deeper than \(Self.depthLimit)") }
        depth += 1
        position += 1
        let value = try read(&self)
        depth -= 1
        return value
    }

    private mutating func object() throws(Malformed) -> JSONValue {
        var members: [JSONMember] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw unexpected("where a member's name should begin") }
            let name = try text()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw unexpected("after a member's name") }
            members.append(JSONMember(name, try value(isSecret: Self.secretNames.contains(name.lowercased()))))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw unexpected("after a member") }
        }
    }

    private mutating func list() throws(Malformed) -> JSONValue {
        var values: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .list(values) }
        while true {
            values.append(try value(isSecret: false))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .list(values) }
            guard take(UInt8(ascii: ",")) else { throw unexpected("after a value in a list") }
        }
    }

    private mutating func word(_ word: StaticString) throws(Malformed) {
        let wanted = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard bytes[position...].starts(with: wanted) else { throw unexpected("where a value should begin") }
        position += wanted.count
    }

    private mutating func number() throws(Malformed) -> JSONValue {
        let start = position
        var isInteger = true
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")), !takeDigits() { throw unexpected("in a number") }
        if take(UInt8(ascii: ".")) {
            isInteger = false
            guard takeDigits() else { throw unexpected("in a number") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard takeDigits() else { throw unexpected("in a number") }
        }
        let digits = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int64(digits) { return .integer(integer) }
        guard let number = Double(digits), number.isFinite else { throw Malformed("a number is out of range") }
        return .number(number)
    }

    private mutating func takeDigits() -> Bool {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        return position > start
    }

    // MARK: Texts

    private mutating func text() throws(Malformed) -> String {
        let start = position + 1
        var end = start
        // Most texts have no escapes.
        while end < bytes.count, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\"), bytes[end] >= 0x20
        {
            end += 1
        }
        if end < bytes.count, bytes[end] == UInt8(ascii: "\"") {
            position = end + 1
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }
        var decoded: [UInt8] = []
        try string(into: &decoded)
        return String(decoding: decoded, as: UTF8.self)
    }

    private mutating func secret() throws(Malformed) -> JSONSecret {
        var decoded: [UInt8] = []
        // What is decoded is never longer than what is read, so the buffer is not moved, and no copy stays behind.
        decoded.reserveCapacity(bytes.count - position)
        defer {
            decoded.withUnsafeMutableBytes { buffer in
                for index in buffer.indices { buffer[index] = 0 }
            }
        }
        try string(into: &decoded)
        return JSONSecret(SecretBytes(copying: decoded))
    }

    private mutating func string(into decoded: inout [UInt8]) throws(Malformed) {
        position += 1
        while true {
            guard let byte = peek else { throw Malformed("it ends in the middle of a text") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): try escape(into: &decoded)
            case 0..<0x20: throw Malformed("there is a control character in a text")
            default: decoded.append(byte)
            }
        }
    }

    private mutating func escape(into decoded: inout [UInt8]) throws(Malformed) {
        guard let byte = peek else { throw Malformed("it ends in the middle of a text") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(byte)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0c)
        case UInt8(ascii: "n"): decoded.append(0x0a)
        case UInt8(ascii: "r"): decoded.append(0x0d)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"):
            decoded.append(contentsOf: UTF8.encode(try codePoint()) ?? UTF8.encodedReplacementCharacter)
        default: throw Malformed("there is an unknown escape in a text")
        }
    }

    /// The character of an escape, or of two that belong together.
    private mutating func codePoint() throws(Malformed) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // The first of a pair, if the second follows. Half a pair stands for itself.
        guard first < 0xdc00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{fffd}" }
        let start = position
        position += 2
        let second = try hexadecimal()
        guard (0xdc00..<0xe000).contains(second) else {
            position = start
            return "\u{fffd}"
        }
        return Unicode.Scalar(0x10000 + (UInt32(first) - 0xd800) << 10 + (UInt32(second) - 0xdc00)) ?? "\u{fffd}"
    }

    private mutating func hexadecimal() throws(Malformed) -> UInt16 {
        guard position + 4 <= bytes.count else { throw Malformed("it ends in the middle of a text") }
        var unit: UInt16 = 0
        for byte in bytes[position..<(position + 4)] {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw Malformed("there is an unknown escape in a text")
            }
            unit = unit << 4 | UInt16(digit)
        }
        position += 4
        return unit
    }

    // MARK: Bytes

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
    }

    private func unexpected(_ place: String) -> Malformed {
        guard peek != nil else { return Malformed("it ends too early") }
        return Malformed("there is something unexpected \(place), at byte \(position + 1)")
    }
}
