/// Base64 (RFC 4648) of what is no secret: messages and public keys on the line.
enum Base64Text {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
    private static let padding = UInt8(ascii: "=")

    /// Encodes with the standard alphabet and padding.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let rest = bytes.count - index
            let group =
                UInt32(bytes[index]) << 16 | (rest > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
                | (rest > 2 ? UInt32(bytes[index + 2]) : 0)
            text.append(alphabet[Int(group >> 18)])
            text.append(alphabet[Int(group >> 12 & 63)])
            text.append(rest > 1 ? alphabet[Int(group >> 6 & 63)] : padding)
            text.append(rest > 2 ? alphabet[Int(group & 63)] : padding)
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Decodes. Line ends are passed over, as the Go daemon does.
    ///
    /// - Parameter isStrict: Whether it must be the standard alphabet with padding; else it may be either alphabet, with
    ///   padding or without.
    /// - Returns: The bytes, or nil when it is no such text.
    static func decode(_ text: String, isStrict: Bool) -> [UInt8]? {
        var characters = Array(text.utf8)
        if characters.contains(where: { $0 == 0x0a || $0 == 0x0d }) {
            characters.removeAll { $0 == 0x0a || $0 == 0x0d }
        }
        if isStrict, characters.count % 4 != 0 { return nil }
        var count = characters.count
        while count > 0, characters.count - count < 2, characters[count - 1] == padding { count -= 1 }
        if !isStrict, characters.count != count, characters.count % 4 != 0 { return nil }
        guard count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 3 / 4)
        var group: UInt32 = 0
        for (index, character) in characters[..<count].enumerated() {
            var character = character
            if !isStrict {
                if character == UInt8(ascii: "-") { character = UInt8(ascii: "+") }
                if character == UInt8(ascii: "_") { character = UInt8(ascii: "/") }
            }
            let value = values[Int(character)]
            guard value != 0xff else { return nil }
            group = group << 6 | UInt32(value)
            if index % 4 == 3 {
                bytes.append(UInt8(truncatingIfNeeded: group >> 16))
                bytes.append(UInt8(truncatingIfNeeded: group >> 8))
                bytes.append(UInt8(truncatingIfNeeded: group))
                group = 0
            }
        }
        switch count % 4 {
        case 2: bytes.append(UInt8(truncatingIfNeeded: group >> 4))
        case 3:
            bytes.append(UInt8(truncatingIfNeeded: group >> 10))
            bytes.append(UInt8(truncatingIfNeeded: group >> 2))
        default: break
        }
        return bytes
    }
}
