/// Bytes that a test is given, with a name: what would print them by themselves, such as the list of a test's cases, says what
/// they are instead.
package struct NamedBytes: Sendable, CustomStringConvertible {
    /// The bytes.
    package let bytes: [UInt8]
    /// What they are.
    package let description: String

    /// Bytes of a name.
    package init(_ description: String, _ bytes: [UInt8]) {
        self.description = description
        self.bytes = bytes
    }
}
