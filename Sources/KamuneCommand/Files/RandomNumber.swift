import KamuneSystem

extension UInt64 {
    /// A number from the operating system's random bytes, for the name of a file that nobody else is to guess or to choose.
    static func systemRandom() -> UInt64 {
        var number: UInt64 = 0
        withUnsafeMutableBytes(of: &number) { fillWithSystemRandomness($0) }
        return number
    }
}
