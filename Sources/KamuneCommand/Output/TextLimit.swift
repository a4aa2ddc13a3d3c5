/// How much of a text from elsewhere is shown, in columns. Characters would be no measure: a single one may be made of
/// thousands of code points, which a terminal draws one beside the other.
enum TextLimit {
    /// Versions, transports and other words of a peer's.
    static let word = 32
    /// Names.
    static let name = 64
    /// What stands in one line beside other things.
    static let line = 200
    /// A sentence that may repeat what a peer has said.
    static let sentence = 1_000
}
