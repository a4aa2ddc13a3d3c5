/// Turns the bytes of a terminal into keys. Bytes may come in pieces of any size; what is not understood is dropped.
struct KeyDecoder: Sendable {
    private enum State: Equatable {
        case ground
        /// Within a UTF-8 sequence that has this many bytes to come.
        case utf8([UInt8], remaining: Int)
        case escape
        /// Within a control sequence (ECMA-48 §5.4), with its parameter bytes so far.
        case control([UInt8])
        case singleShift
    }

    /// The longest control sequence that is kept in mind; keys have a few bytes.
    private static let maximumSequenceLength = 16

    private var state = State.ground

    /// The keys that these bytes complete.
    mutating func decode(_ bytes: some Sequence<UInt8>) -> [Key] {
        var keys: [Key] = []
        for byte in bytes { decode(byte, into: &keys) }
        return keys
    }

    private mutating func decode(_ byte: UInt8, into keys: inout [Key]) {
        switch state {
        case .ground: decodeGround(byte, into: &keys)
        case .utf8(let bytes, let remaining): decodeUTF8(bytes, remaining, byte, into: &keys)
        case .escape: decodeEscape(byte, into: &keys)
        case .control(let parameters): decodeControl(parameters, byte, into: &keys)
        case .singleShift:
            state = .ground
            if let key = Self.cursorKey(byte, modified: false) { keys.append(key) }
        }
    }

    private mutating func decodeGround(_ byte: UInt8, into keys: inout [Key]) {
        switch byte {
        case 0x01: keys.append(.lineStart)
        case 0x02: keys.append(.left)
        case 0x04: keys.append(.endOfInput)
        case 0x05: keys.append(.lineEnd)
        case 0x06: keys.append(.right)
        case 0x08, 0x7f: keys.append(.backspace)
        case 0x09: keys.append(.scalar(" "))
        case 0x0a, 0x0d: keys.append(.enter)
        case 0x0b: keys.append(.deleteToEnd)
        case 0x0c: keys.append(.redraw)
        case 0x0e: keys.append(.newer)
        case 0x10: keys.append(.older)
        case 0x15: keys.append(.deleteToStart)
        case 0x17: keys.append(.deleteWord)
        case 0x19: keys.append(.insertDeleted)
        case 0x1b: state = .escape
        case 0x20...0x7e: keys.append(.scalar(Unicode.Scalar(byte)))
        case 0xc2...0xdf: state = .utf8([byte], remaining: 1)
        case 0xe0...0xef: state = .utf8([byte], remaining: 2)
        case 0xf0...0xf4: state = .utf8([byte], remaining: 3)
        case 0x80...: keys.append(.scalar("\u{FFFD}"))
        default: break
        }
    }

    private mutating func decodeUTF8(_ bytes: [UInt8], _ remaining: Int, _ byte: UInt8, into keys: inout [Key]) {
        guard (0x80...0xbf).contains(byte) else {
            // The sequence is cut short; this byte begins something new.
            state = .ground
            keys.append(.scalar("\u{FFFD}"))
            decodeGround(byte, into: &keys)
            return
        }
        let bytes = bytes + [byte]
        if remaining > 1 {
            state = .utf8(bytes, remaining: remaining - 1)
        } else {
            state = .ground
            // Overlong forms and surrogates become U+FFFD here.
            keys += String(decoding: bytes, as: UTF8.self).unicodeScalars.prefix(1).map { .scalar($0) }
        }
    }

    private mutating func decodeEscape(_ byte: UInt8, into keys: inout [Key]) {
        state = .ground
        switch byte {
        case UInt8(ascii: "["): state = .control([])
        case UInt8(ascii: "O"): state = .singleShift
        case UInt8(ascii: "b"): keys.append(.wordLeft)
        case UInt8(ascii: "f"): keys.append(.wordRight)
        case 0x08, 0x7f: keys.append(.deleteWord)
        case 0x1b: state = .escape
        // The key that was pressed after a lone Escape, unless it is a letter with Alt that means nothing here.
        case 0x00...0x1f: decodeGround(byte, into: &keys)
        default: break
        }
    }

    private mutating func decodeControl(_ parameters: [UInt8], _ byte: UInt8, into keys: inout [Key]) {
        switch byte {
        case 0x20...0x3f where parameters.count < Self.maximumSequenceLength:
            state = .control(parameters + [byte])
        case 0x20...0x3f:
            break
        case 0x40...0x7e:
            state = .ground
            if let key = Self.controlKey(parameters, byte) { keys.append(key) }
        default:
            state = .ground
            decodeGround(byte, into: &keys)
        }
    }

    private static func controlKey(_ parameters: [UInt8], _ final: UInt8) -> Key? {
        guard final == UInt8(ascii: "~") else {
            return cursorKey(final, modified: parameters.contains(UInt8(ascii: ";")))
        }
        switch String(decoding: parameters.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self) {
        case "1", "7": return .lineStart
        case "3": return .delete
        case "4", "8": return .lineEnd
        default: return nil
        }
    }

    private static func cursorKey(_ final: UInt8, modified: Bool) -> Key? {
        switch final {
        case UInt8(ascii: "A"): .older
        case UInt8(ascii: "B"): .newer
        case UInt8(ascii: "C"): modified ? .wordRight : .right
        case UInt8(ascii: "D"): modified ? .wordLeft : .left
        case UInt8(ascii: "F"): .lineEnd
        case UInt8(ascii: "H"): .lineStart
        default: nil
        }
    }
}
