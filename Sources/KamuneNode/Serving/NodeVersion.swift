import Kamune

/// The version of this program.
package enum NodeVersion {
    /// As people and other programs read it.
    package static let text = "0.7.0"
}
