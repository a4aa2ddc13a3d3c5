import KamuneCrypto

/// What an attacker on the wire can do to one frame without any key.
enum Mutation: Sendable {
    case altered(at: Int)
    case truncated(to: Int)
    case extended

    func applied(to frame: [UInt8]) -> [UInt8] {
        switch self {
        // Another bit at each position, so that all eight have their turn.
        case .altered(let index): frame.altered(at: index, by: 1 << (index % 8))
        case .truncated(let count): Array(frame.prefix(count))
        case .extended: frame + [0]
        }
    }
}

/// The rule of FIPS 203 §7.2, apart from the library: every 12 bits of an encapsulation key are below the modulus.
func passesModulusCheck(_ key: ArraySlice<UInt8>) -> Bool {
    let bytes = Array(key.prefix(MLKEM768Size.publicKey - 32))
    return stride(from: 0, to: bytes.count, by: 3).allSatisfy { index in
        let low = Int(bytes[index]) | Int(bytes[index + 1] & 0x0f) << 8
        let high = Int(bytes[index + 1] >> 4) | Int(bytes[index + 2]) << 4
        return low < 3_329 && high < 3_329
    }
}
