import Kamune

/// The version of the protocol that this program speaks.
package enum NodeVersion {
    /// As introductions and greetings say it.
    package static let text = "0.7.0"
}
