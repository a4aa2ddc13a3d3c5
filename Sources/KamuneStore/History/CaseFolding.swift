/// Makes letters that differ in case only the same: Unicode's lower case, scalar by scalar, and the final sigma as any
/// other. One scalar always becomes one, so that places in a text stay places.
enum CaseFolding {
    /// The folded forms of the first 65,536 code points; beyond them few scripts know case at all.
    private static let table: [UInt16] = (0..<0x1_0000).map { code in
        guard let scalar = Unicode.Scalar(UInt32(code)) else { return UInt16(code) }
        return UInt16(truncatingIfNeeded: compute(scalar))
    }

    private static func compute(_ scalar: Unicode.Scalar) -> UInt32 {
        // ς at the end of a word, and the long s, are the letters that they stand for.
        switch scalar.value {
        case 0x3C2: return 0x3C3
        case 0x17F: return 0x73
        default: break
        }
        guard scalar.properties.changesWhenLowercased,
            let lower = scalar.properties.lowercaseMapping.unicodeScalars.first
        else { return scalar.value }
        return lower.value
    }

    /// Folds one scalar.
    static func fold(_ scalar: UInt32) -> UInt32 {
        if scalar < 0x80 { return scalar &- 0x41 < 26 ? scalar | 0x20 : scalar }
        if scalar < 0x1_0000 { return UInt32(table[Int(scalar)]) }
        return Unicode.Scalar(scalar).map(compute) ?? scalar
    }

    /// Whether a scalar is part of a word.
    static func isWordCharacter(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 {
            return scalar &- 0x30 < 10 || (scalar | 0x20) &- 0x61 < 26 || scalar == 0x5F
        }
        guard let scalar = Unicode.Scalar(scalar) else { return false }
        let properties = scalar.properties
        return properties.isAlphabetic || properties.numericType != nil
            || properties.generalCategory == .nonspacingMark
    }
}
