/// Turns the bytes of a terminal into what they mean. Bytes may come in pieces of any size, and any bytes may come: what is
/// not understood is dropped, and nothing is kept beyond its bound.
///
/// Function keys and answers of the terminal are never text, and no control is.
package struct InputDecoder: Sendable {
    private enum State {
        case ground
        /// Within a UTF-8 sequence: what it amounts to so far, how many bytes are to come, and the next one's range.
        case utf8(UInt32, remaining: Int, range: ClosedRange<UInt8>, isAlt: Bool)
        case escape(isAlt: Bool)
        /// Within a control sequence (ECMA-48 §5.4).
        case control(ControlBytes, isAlt: Bool)
        /// One byte more: SS3, a function key of the Linux console, or the three of the oldest mouse reports.
        case singleShift(isAlt: Bool)
        case console
        case oldMouse(remaining: Int)
        /// Within a string (ECMA-48 §5.6) that ends in ST or BEL.
        case string(StringBytes)
        case stringEscape(StringBytes)
        /// Within what is pasted, of whose end mark so many bytes have come.
        case paste(matched: Int)
    }

    /// What strings are for: the byte behind the escape.
    private enum StringKind: UInt8 {
        case operatingSystem = 0x5d
        case device = 0x50
        case start = 0x58
        case privacy = 0x5e
        case application = 0x5f
    }

    private struct StringBytes {
        let kind: StringKind
        var bytes: [UInt8] = []
    }

    /// The longest control sequence and string that are kept in mind, in bytes. Of longer ones nothing is taken.
    private static let maximumControlSize = 64
    private static let maximumStringSize = 1_024

    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    /// How much of a paste is taken, in bytes.
    private let maximumPasteSize: Int

    private var state = State.ground
    private var text = String.UnicodeScalarView()
    private var pasted: [UInt8] = []
    private var pastedExcess = 0
    private var events: [InputEvent] = []

    /// - Parameter maximumPasteSize: How much of a paste is taken, in bytes: more than may be sent, so that it is known how
    ///   much there was.
    package init(maximumPasteSize: Int = 1 << 20) {
        self.maximumPasteSize = maximumPasteSize
    }

    /// What these bytes complete.
    package mutating func decode(_ bytes: some Sequence<UInt8>) -> [InputEvent] {
        for byte in bytes { decode(byte) }
        finishText()
        defer { events = [] }
        return events
    }

    /// Whether bytes were taken that may be the beginning of more, or a key: call ``settle()`` if none come for a while.
    package var isUndecided: Bool {
        switch state {
        case .escape, .singleShift: true
        case .control(let bytes, _): bytes.isEmpty
        case .string(let string): string.bytes.isEmpty
        default: false
        }
    }

    /// Nothing came for a while, some fifty milliseconds: what looked like the beginning of a sequence was a key, Escape or
    /// one with Alt.
    package mutating func settle() -> [InputEvent] {
        switch state {
        case .escape(let isAlt): key(.escape, isAlt ? .alt : [])
        case .singleShift: key(.character("O"), .alt)
        case .control(let bytes, _) where bytes.isEmpty: key(.character("["), .alt)
        case .string(let string) where string.bytes.isEmpty:
            key(.character(Unicode.Scalar(string.kind.rawValue)), .alt)
        default: return []
        }
        state = .ground
        defer { events = [] }
        return events
    }

    // MARK: Bytes

    private mutating func decode(_ byte: UInt8) {
        switch state {
        case .ground: decodeGround(byte, isAlt: false)
        case .utf8(let value, let remaining, let range, let isAlt):
            decodeUTF8(value, remaining, range, isAlt, byte)
        case .escape(let isAlt): decodeEscape(byte, isAlt: isAlt)
        case .control(var bytes, let isAlt): decodeControl(&bytes, isAlt, byte)
        case .singleShift(let isAlt):
            state = .ground
            if let event = KeyTable.singleShift(byte, isAlt: isAlt) {
                emit(event)
            } else if byte < 0x20 || byte >= 0x7f {
                decodeGround(byte, isAlt: false)
            }
        case .console:
            state = .ground
            // F1 to F5.
            if (0x41...0x45).contains(byte) { key(.function(Int(byte) - 0x40)) }
        case .oldMouse(let remaining): state = remaining > 1 ? .oldMouse(remaining: remaining - 1) : .ground
        case .string(let string): decodeString(string, byte)
        case .stringEscape(let string):
            if byte == 0x5c {
                state = .ground
                finish(string)
            } else {
                state = .escape(isAlt: false)
                decodeEscape(byte, isAlt: false)
            }
        case .paste(let matched): decodePaste(byte, matched)
        }
    }

    private mutating func decodeGround(_ byte: UInt8, isAlt: Bool) {
        state = .ground
        let alt: Key.Modifiers = isAlt ? .alt : []
        switch byte {
        case 0x1b: state = .escape(isAlt: isAlt)
        case 0x0d: key(.enter, alt)
        case 0x09: key(.tab, alt)
        case 0x08: key(.backspace, alt.union(.control))
        case 0x7f: key(.backspace, alt)
        case 0x00: key(.character(" "), alt.union(.control))
        case 0x01...0x1a: key(.character(Unicode.Scalar(byte | 0x60)), alt.union(.control))
        case 0x1c...0x1f: key(.character(Unicode.Scalar(byte | 0x40)), alt.union(.control))
        case 0x20...0x7e: scalar(Unicode.Scalar(byte), isAlt: isAlt)
        // The ranges keep out overlong forms, surrogates and what is beyond Unicode (Unicode, table 3-7).
        case 0xc2...0xdf: begin(byte & 0x1f, 1, 0x80...0xbf, isAlt)
        case 0xe0: begin(byte & 0x0f, 2, 0xa0...0xbf, isAlt)
        case 0xed: begin(byte & 0x0f, 2, 0x80...0x9f, isAlt)
        case 0xe1...0xef: begin(byte & 0x0f, 2, 0x80...0xbf, isAlt)
        case 0xf0: begin(byte & 0x07, 3, 0x90...0xbf, isAlt)
        case 0xf1...0xf3: begin(byte & 0x07, 3, 0x80...0xbf, isAlt)
        case 0xf4: begin(byte & 0x07, 3, 0x80...0x8f, isAlt)
        default: scalar(.replacement, isAlt: false)
        }
    }

    private mutating func begin(_ bits: UInt8, _ remaining: Int, _ range: ClosedRange<UInt8>, _ isAlt: Bool) {
        state = .utf8(UInt32(bits), remaining: remaining, range: range, isAlt: isAlt)
    }

    private mutating func decodeUTF8(
        _ value: UInt32, _ remaining: Int, _ range: ClosedRange<UInt8>, _ isAlt: Bool, _ byte: UInt8
    ) {
        guard range.contains(byte) else {
            // The sequence is cut short; this byte begins something new.
            scalar(.replacement, isAlt: false)
            decodeGround(byte, isAlt: false)
            return
        }
        let value = value << 6 | UInt32(byte & 0x3f)
        guard remaining == 1 else {
            state = .utf8(value, remaining: remaining - 1, range: 0x80...0xbf, isAlt: isAlt)
            return
        }
        state = .ground
        // Controls of C1 are none that a key has.
        if let decoded = Unicode.Scalar(value), !(0x80...0x9f).contains(value) { scalar(decoded, isAlt: isAlt) }
    }

    private mutating func decodeEscape(_ byte: UInt8, isAlt: Bool) {
        switch byte {
        case UInt8(ascii: "["): state = .control(ControlBytes(), isAlt: isAlt)
        case UInt8(ascii: "O"): state = .singleShift(isAlt: isAlt)
        // Escape twice is Alt with what follows, on terminals that put an escape before such keys.
        case 0x1b where !isAlt: state = .escape(isAlt: true)
        case 0x1b:
            key(.escape, .alt)
            state = .escape(isAlt: false)
        default:
            if let kind = StringKind(rawValue: byte) {
                state = .string(StringBytes(kind: kind))
            } else {
                decodeGround(byte, isAlt: byte < 0x80 || byte >= 0xc2)
            }
        }
    }

    private mutating func decodeControl(_ bytes: inout ControlBytes, _ isAlt: Bool, _ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "[") where bytes.isEmpty: state = .console
        case 0x20...0x3f:
            bytes.append(byte, limit: Self.maximumControlSize)
            state = .control(bytes, isAlt: isAlt)
        case 0x40...0x7e:
            state = .ground
            finish(bytes, byte, isAlt)
        // It was cut off.
        default: decodeGround(byte, isAlt: false)
        }
    }

    private mutating func finish(_ bytes: ControlBytes, _ final: UInt8, _ isAlt: Bool) {
        guard !bytes.isTooLong else { return }
        if final == UInt8(ascii: "M"), bytes.isEmpty {
            state = .oldMouse(remaining: 3)
            return
        }
        if final == UInt8(ascii: "~"), bytes.isPlain, bytes.number(0) == 200 {
            finishText()
            state = .paste(matched: 0)
            return
        }
        if let event = KeyTable.control(bytes, final, isAlt: isAlt) { emit(event) }
    }

    private mutating func decodeString(_ string: StringBytes, _ byte: UInt8) {
        switch byte {
        case 0x07:
            state = .ground
            finish(string)
        case 0x1b: state = .stringEscape(string)
        // No other control is part of a string: it was cut off, or was none.
        case 0x00..<0x20: decodeGround(byte, isAlt: false)
        default:
            guard string.bytes.count <= Self.maximumStringSize else { return }
            var string = string
            string.bytes.append(byte)
            state = .string(string)
        }
    }

    private mutating func finish(_ string: StringBytes) {
        guard string.bytes.count <= Self.maximumStringSize else { return }
        let text = String(decoding: string.bytes, as: UTF8.self)
        switch string.kind {
        case .operatingSystem: emit(.answer(.operatingSystem(text)))
        case .device: emit(.answer(.device(text)))
        case .start, .privacy, .application: emit(.answer(.other))
        }
    }

    // MARK: Pasting

    private mutating func decodePaste(_ byte: UInt8, _ matched: Int) {
        var matched = matched
        if byte != Self.pasteEnd[matched] {
            for byte in Self.pasteEnd[..<matched] { addPasted(byte) }
            matched = 0
        }
        if byte == Self.pasteEnd[matched] { matched += 1 } else { addPasted(byte) }
        guard matched == Self.pasteEnd.count else {
            state = .paste(matched: matched)
            return
        }
        state = .ground
        emit(.paste(Paste(text: Self.text(ofPasted: pasted), excess: pastedExcess)))
        (pasted, pastedExcess) = ([], 0)
    }

    private mutating func addPasted(_ byte: UInt8) {
        if pasted.count < maximumPasteSize { pasted.append(byte) } else { pastedExcess += 1 }
    }

    /// Terminals send the ends of lines as Enter, which is CR. Other controls than those and tabs are no text.
    private static func text(ofPasted bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        var previous: Unicode.Scalar?
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            defer { previous = scalar }
            switch scalar.value {
            case 0x0d: text.append("\n")
            case 0x0a: if previous != "\r" { text.append("\n") }
            case 0x09: text.append(scalar)
            case 0x00..<0x20, 0x7f...0x9f: break
            default: text.append(scalar)
            }
        }
        return String(text)
    }

    // MARK: Events

    private mutating func scalar(_ scalar: Unicode.Scalar, isAlt: Bool) {
        if isAlt { key(.character(scalar), .alt) } else { text.append(scalar) }
        state = .ground
    }

    private mutating func key(_ code: Key.Code, _ modifiers: Key.Modifiers = []) {
        emit(.key(Key(code, modifiers)))
    }

    private mutating func emit(_ event: InputEvent) {
        // What a key of the keypad or of kitty's protocol types joins what was typed before.
        if case .text(let more) = event {
            text.append(contentsOf: more.unicodeScalars)
            return
        }
        finishText()
        events.append(event)
    }

    private mutating func finishText() {
        if text.isEmpty { return }
        events.append(.text(String(text)))
        text = String.UnicodeScalarView()
    }
}
