/// Base64 (RFC 4648): the standard alphabet for PEM, the URL-safe one without padding for fingerprints.
///
/// PEM carries private keys, so neither direction looks a secret up in a table or branches on one.
enum Base64 {
    /// How many characters `count` bytes take with padding.
    static func encodedSize(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Encodes with the URL-safe alphabet and without padding.
    static func encodeURL(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: encodedSize(bytes.count))
        bytes.withUnsafeBytes { bytes in text.withUnsafeMutableBytes { encode(bytes, into: $0) } }
        let padding = (3 - bytes.count % 3) % 3
        for index in text.indices.dropLast(padding) {
            switch text[index] {
            case UInt8(ascii: "+"): text[index] = UInt8(ascii: "-")
            case UInt8(ascii: "/"): text[index] = UInt8(ascii: "_")
            default: break
            }
        }
        return String(decoding: text.dropLast(padding), as: UTF8.self)
    }

    /// Encodes with the standard alphabet and padding; `text` has ``encodedSize(_:)`` bytes.
    static func encode(_ bytes: UnsafeRawBufferPointer, into text: UnsafeMutableRawBufferPointer) {
        var position = 0
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let available = min(3, bytes.count - start)
            var group: UInt32 = 0
            for offset in 0..<3 {
                group = group << 8 | (offset < available ? UInt32(bytes[start + offset]) : 0)
            }
            for offset in 0..<4 {
                text[position] =
                    offset <= available ? character(UInt8(group >> (18 - 6 * offset) & 63)) : UInt8(ascii: "=")
                position += 1
            }
        }
    }

    /// Decodes text in the standard alphabet with padding.
    ///
    /// - Returns: the bytes, or nil when the text is not the one encoding that its bytes have.
    static func decode(_ text: UnsafeRawBufferPointer) -> SecretBytes? {
        guard text.count % 4 == 0 else { return nil }
        var padding = 0
        while padding < min(2, text.count) && text[text.count - 1 - padding] == UInt8(ascii: "=") { padding += 1 }
        var invalid: Int32 = 0
        let bytes = SecretBytes(unsafeUninitializedCapacity: text.count / 4 * 3 - padding) { bytes in
            for start in stride(from: 0, to: text.count, by: 4) {
                var group: UInt32 = 0
                for offset in 0..<4 {
                    let isPadding = start + offset >= text.count - padding
                    let value = isPadding ? 0 : Self.value(text[start + offset])
                    invalid |= value
                    group = group << 6 | UInt32(truncatingIfNeeded: value & 63)
                }
                for offset in 0..<3 {
                    let byte = UInt8(truncatingIfNeeded: group >> (16 - 8 * offset))
                    let position = start / 4 * 3 + offset
                    if position < bytes.count {
                        bytes[position] = byte
                    } else {
                        // Bits behind the last byte must be zero, or two texts would have the same bytes.
                        invalid |= -Int32(byte)
                    }
                }
            }
        }
        guard invalid >= 0 else { return nil }
        return bytes
    }

    /// The character of six bits, by arithmetic: each step applies from one range of the alphabet on.
    private static func character(_ value: UInt8) -> UInt8 {
        let value = Int32(value)
        var result = value + 65
        result += (25 - value) >> 8 & 6
        result -= (51 - value) >> 8 & 75
        result -= (61 - value) >> 8 & 15
        result += (62 - value) >> 8 & 3
        return UInt8(truncatingIfNeeded: result)
    }

    /// The six bits of a character, or -1: each line is nonzero for the characters of one range only.
    private static func value(_ character: UInt8) -> Int32 {
        let character = Int32(character)
        func within(_ low: Int32, _ high: Int32) -> Int32 {
            ((low - 1 - character) & (character - high - 1)) >> 8
        }
        var result: Int32 = -1
        result += within(65, 90) & (character - 64)
        result += within(97, 122) & (character - 70)
        result += within(48, 57) & (character + 5)
        result += within(43, 43) & 63
        result += within(47, 47) & 64
        return result
    }
}
