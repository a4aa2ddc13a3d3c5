/// What stands between the beginning and the end of a control sequence: parameters, and what qualifies them.
struct ControlBytes: Sendable {
    private var bytes: [UInt8] = []
    /// Whether there were more than are kept.
    private(set) var isTooLong = false

    var isEmpty: Bool { bytes.isEmpty && !isTooLong }

    mutating func append(_ byte: UInt8, limit: Int) {
        if bytes.count < limit { bytes.append(byte) } else { isTooLong = true }
    }

    /// The sign before the parameters that makes them private: one of <=>?.
    var prefix: UInt8? { bytes.first.flatMap { (0x3c...0x3f).contains($0) ? $0 : nil } }

    /// What stands behind the parameters.
    var intermediates: [UInt8] { bytes.filter { $0 < 0x30 } }

    /// Whether there are only parameters.
    var isPlain: Bool { prefix == nil && intermediates.isEmpty }

    /// The parameters, each with its parts that colons separate; what is left out is nil.
    var parameters: [[Int?]] {
        let digits = bytes.filter { (0x30...0x3b).contains($0) }
        return digits.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map { parameter in
            parameter.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map(Self.number)
        }
    }

    /// The first part of a parameter.
    func number(_ index: Int) -> Int? {
        let parameters = parameters
        return index < parameters.count ? parameters[index].first ?? nil : nil
    }

    /// Larger numbers than any parameter has are as good as none.
    private static func number(_ digits: some Collection<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count <= 9 else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}
