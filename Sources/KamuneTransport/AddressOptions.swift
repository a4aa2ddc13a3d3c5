/// What an address may say about how datagrams are sent: `?turbo`, `?congestion=cubic`, or both, joined by `&`.
public struct AddressOptions: Sendable, Hashable {
    /// How the sending rate follows the network; nil if the address does not say.
    public var congestion: CongestionControl?
    /// Whether to send more than needed, so that lost messages arrive sooner.
    public var isTurbo = false

    /// Nothing special.
    public init() {}

    /// Reads what stands after the question mark.
    ///
    /// - Throws: ``Problem``, which says what is wrong.
    init(parsing text: Substring) throws(Problem) {
        for option in text.split(separator: "&", omittingEmptySubsequences: false) {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch (parts.first ?? "", parts.count) {
            case ("turbo", 1):
                guard !isTurbo else { throw Problem("“turbo” stands there twice") }
                isTurbo = true
            case ("congestion", 2):
                guard let choice = CongestionControl(rawValue: String(parts[1])) else {
                    let choices = CongestionControl.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Problem("“\(parts[1])” is no congestion control; known are \(choices)")
                }
                guard congestion == nil else { throw Problem("“congestion” stands there twice") }
                congestion = choice
            default:
                throw Problem("the option “\(option)” is unknown; turbo and congestion=… are known")
            }
        }
    }

    /// What is wrong with a text.
    struct Problem: Error {
        let reason: String

        init(_ reason: String) {
            self.reason = reason
        }
    }
}

extension AddressOptions: CustomStringConvertible {
    /// What stands after the question mark; empty if nothing does.
    public var description: String {
        let parts = (congestion.map { ["congestion=\($0.rawValue)"] } ?? []) + (isTurbo ? ["turbo"] : [])
        return parts.joined(separator: "&")
    }
}
