import KamuneCrypto
import Synchronization

/// The name that peers are told. It may change while conversations go on: the next handshake tells the new one.
final class OwnName: Sendable {
    private let text: Mutex<String>
    private let fingerprint: String

    /// - Parameter name: nil for the fingerprint of the identity, as programs of version 0.7 do.
    init(_ name: String?, of identity: PublicIdentity) {
        fingerprint = identity.fingerprint.sum
        text = Mutex(name ?? fingerprint)
    }

    var value: String { text.withLock { $0 } }

    func set(_ name: String?) {
        text.withLock { $0 = name ?? fingerprint }
    }
}
