/// Which sequence means what: xterm, VT220, rxvt, the Linux console, and kitty's keyboard protocol.
enum KeyTable {
    /// What a byte behind SS3 means: cursor keys, F1 to F4, and the keypad.
    static func singleShift(_ byte: UInt8, isAlt: Bool) -> InputEvent? {
        let alt: Key.Modifiers = isAlt ? .alt : []
        switch byte {
        // rxvt's cursor keys with Ctrl.
        case 0x61...0x64: return cursor(byte - 0x20).map { .key(Key($0, alt.union(.control))) }
        case UInt8(ascii: "M"): return .key(Key(.enter, alt))
        case UInt8(ascii: "I"): return .key(Key(.tab, alt))
        case 0x6a...0x79, UInt8(ascii: "X"):
            // The keypad sends its signs with the high bits of a letter.
            return .text(String(Unicode.Scalar(byte == UInt8(ascii: "X") ? UInt8(ascii: "=") : byte - 0x40)))
        default: return cursor(byte).map { .key(Key($0, alt)) }
        }
    }

    /// What a control sequence means; nil for nothing that is known.
    static func control(_ bytes: ControlBytes, _ final: UInt8, isAlt: Bool) -> InputEvent? {
        if !bytes.isPlain { return unusual(bytes, final) }
        let (modifiers, isRelease) = modifiers(bytes, isAlt: isAlt)
        switch final {
        case UInt8(ascii: "I"): return .focus(true)
        case UInt8(ascii: "O"): return .focus(false)
        case UInt8(ascii: "R"): if let event = position(bytes) { return event }
        case UInt8(ascii: "c"), UInt8(ascii: "n"), UInt8(ascii: "t"), UInt8(ascii: "y"):
            return .answer(.other)
        default: break
        }
        if isRelease { return nil }
        switch final {
        case UInt8(ascii: "u"): return kitty(bytes, modifiers)
        case UInt8(ascii: "~"): return tilde(bytes, modifiers)
        case UInt8(ascii: "Z"): return .key(Key(.tab, modifiers.union(.shift)))
        // rxvt's cursor keys with Shift, and its others with Ctrl, or with Ctrl and Shift.
        case 0x61...0x64: return cursor(final - 0x20).map { .key(Key($0, modifiers.union(.shift))) }
        case UInt8(ascii: "^"): return numbered(bytes.number(0)).map { .key(Key($0, modifiers.union(.control))) }
        case UInt8(ascii: "@"):
            return numbered(bytes.number(0)).map { .key(Key($0, modifiers.union([.control, .shift]))) }
        default: return cursor(final).map { .key(Key($0, modifiers)) }
        }
    }

    // MARK: Answers and the mouse

    private static func position(_ bytes: ControlBytes) -> InputEvent? {
        guard let row = bytes.number(0), let column = bytes.number(1) else { return nil }
        return .answer(.cursor(column: max(column, 1) - 1, row: max(row, 1) - 1))
    }

    private static func unusual(_ bytes: ControlBytes, _ final: UInt8) -> InputEvent? {
        switch (bytes.prefix, bytes.intermediates, final) {
        case (UInt8(ascii: "<"), [], UInt8(ascii: "M")): mouse(bytes, isRelease: false)
        case (UInt8(ascii: "<"), [], UInt8(ascii: "m")): mouse(bytes, isRelease: true)
        case (UInt8(ascii: "?"), [], UInt8(ascii: "c")):
            .answer(.attributes(bytes.parameters.compactMap { $0.first ?? nil }))
        case (UInt8(ascii: "?"), [], UInt8(ascii: "u")): .answer(.keyboard(flags: bytes.number(0) ?? 0))
        case (UInt8(ascii: "?"), [UInt8(ascii: "$")], UInt8(ascii: "y")):
            .answer(.mode(bytes.number(0) ?? 0, state: bytes.number(1) ?? 0))
        // rxvt's keys with Shift.
        case (nil, [UInt8(ascii: "$")], _): nil
        default: .answer(.other)
        }
    }

    private static func mouse(_ bytes: ControlBytes, isRelease: Bool) -> InputEvent? {
        guard let code = bytes.number(0), let column = bytes.number(1), let row = bytes.number(2) else { return nil }
        var modifiers: Key.Modifiers = []
        if code & 4 != 0 { modifiers.insert(.shift) }
        if code & 8 != 0 { modifiers.insert(.alt) }
        if code & 16 != 0 { modifiers.insert(.control) }
        let button = code & 3 | (code & 128) >> 5
        let action: MouseEvent.Action =
            switch code & (64 | 32) {
            case 64:
                switch code & 3 {
                case 0: .wheelUp
                case 1: .wheelDown
                case 2: .wheelLeft
                default: .wheelRight
                }
            case 32: .move(button: button == 3 ? nil : button)
            default: isRelease ? .release(button: button) : .press(button: button)
            }
        return .mouse(
            MouseEvent(action, column: max(column, 1) - 1, row: max(row, 1) - 1, modifiers: modifiers))
    }

    // MARK: Keys

    /// The modifiers of a key, in its second parameter, and whether it was let go of, in that one's second part.
    private static func modifiers(_ bytes: ControlBytes, isAlt: Bool) -> (Key.Modifiers, isRelease: Bool) {
        let parameters = bytes.parameters
        let second = parameters.count > 1 ? parameters[1] : []
        var modifiers: Key.Modifiers = isAlt ? .alt : []
        if let number = second.first ?? nil, number > 1 {
            // Of kitty's eight, the last ones are locks and keys that mean nothing here.
            modifiers.formUnion(Key.Modifiers(rawValue: UInt8(truncatingIfNeeded: (number - 1) & 0xf)))
        }
        return (modifiers, second.count > 1 && second[1] == 3)
    }

    private static func tilde(_ bytes: ControlBytes, _ modifiers: Key.Modifiers) -> InputEvent? {
        // xterm's modifyOtherKeys: 27 ; modifiers ; code.
        if bytes.number(0) == 27, let code = bytes.number(2) { return typed(code, modifiers) }
        return numbered(bytes.number(0)).map { .key(Key($0, modifiers)) }
    }

    /// A key of kitty's protocol: its code, with the one that Shift makes of it behind a colon.
    private static func kitty(_ bytes: ControlBytes, _ modifiers: Key.Modifiers) -> InputEvent? {
        guard let code = bytes.number(0) else { return nil }
        let shifted = bytes.parameters[0].count > 1 ? bytes.parameters[0][1] : nil
        return typed(modifiers == .shift ? shifted ?? code : code, modifiers)
    }

    private static func typed(_ code: Int, _ modifiers: Key.Modifiers) -> InputEvent? {
        switch code {
        case 9: return .key(Key(.tab, modifiers))
        case 13, 57_414: return .key(Key(.enter, modifiers))
        case 27: return .key(Key(.escape, modifiers))
        case 8, 127: return .key(Key(.backspace, modifiers))
        case 57_376...57_398: return .key(Key(.function(code - 57_376 + 13), modifiers))
        case 57_399...57_408: return keypad(UInt32(code - 57_399) + 0x30, modifiers)
        case 57_409...57_413, 57_415, 57_416:
            let signs: [Int: Unicode.Scalar] = [
                57_409: ".", 57_410: "/", 57_411: "*", 57_412: "-", 57_413: "+", 57_415: "=", 57_416: ",",
            ]
            return keypad(signs[code]?.value ?? 0, modifiers)
        case 57_417...57_426:
            let keys: [Key.Code] = [.left, .right, .up, .down, .pageUp, .pageDown, .home, .end, .insert, .delete]
            return .key(Key(keys[code - 57_417], modifiers))
        default: return keypad(UInt32(truncatingIfNeeded: code), modifiers)
        }
    }

    private static func keypad(_ value: UInt32, _ modifiers: Key.Modifiers) -> InputEvent? {
        guard let scalar = Unicode.Scalar(value), value >= 0x20, !(0x7f...0x9f).contains(value),
            scalar.properties.generalCategory != .privateUse
        else { return nil }
        return modifiers.subtracting(.shift).isEmpty
            ? .text(String(scalar)) : .key(Key(.character(scalar), modifiers))
    }

    private static func cursor(_ final: UInt8) -> Key.Code? {
        switch final {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "C"): .right
        case UInt8(ascii: "D"): .left
        case UInt8(ascii: "F"): .end
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "P"): .function(1)
        case UInt8(ascii: "Q"): .function(2)
        case UInt8(ascii: "R"): .function(3)
        case UInt8(ascii: "S"): .function(4)
        default: nil
        }
    }

    private static func numbered(_ number: Int?) -> Key.Code? {
        switch number {
        case 1, 7: .home
        case 2: .insert
        case 3: .delete
        case 4, 8: .end
        case 5: .pageUp
        case 6: .pageDown
        case let number? where (11...15).contains(number): .function(number - 10)
        case let number? where (17...21).contains(number): .function(number - 11)
        case let number? where (23...26).contains(number): .function(number - 12)
        case 28, 29: .function((number ?? 0) - 13)
        case let number? where (31...34).contains(number): .function(number - 14)
        default: nil
        }
    }
}
