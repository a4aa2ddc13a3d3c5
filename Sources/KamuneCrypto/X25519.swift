/// What X25519 (RFC 7748) means to more than one part of this module.
enum X25519 {
    /// The size of a private key, a public key and a shared secret in bytes.
    static let size = 32

    /// The coordinates of the points of small order, little-endian, for which the shared secret is zero whatever the
    /// private key is: 0, 1, the two of order 8, and p - 1, p, p + 1, of which the last two are 0 and 1 once more.
    private static let lowOrderCoordinates: [[UInt8]] = [
        [UInt8](repeating: 0, count: size),
        [1] + [UInt8](repeating: 0, count: size - 1),
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
            0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
            0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
        [0xec] + [UInt8](repeating: 0xff, count: size - 2) + [0x7f],
        [0xed] + [UInt8](repeating: 0xff, count: size - 2) + [0x7f],
        [0xee] + [UInt8](repeating: 0xff, count: size - 2) + [0x7f],
    ]

    /// Whether a public key is a point of small order. The top bit does not count (RFC 7748 §5).
    static func isLowOrder(_ publicKey: some Collection<UInt8>) -> Bool {
        var coordinate = [UInt8](publicKey)
        guard coordinate.count == size else { return false }
        coordinate[size - 1] &= 0x7f
        return lowOrderCoordinates.contains(coordinate)
    }
}
