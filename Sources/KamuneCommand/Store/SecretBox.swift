import Kamune

/// Carries a secret through closures and tasks, which cannot capture a type without copies.
final class SecretBox: Sendable {
    let secret: SecretBytes

    init(_ secret: consuming SecretBytes) {
        self.secret = secret
    }
}
