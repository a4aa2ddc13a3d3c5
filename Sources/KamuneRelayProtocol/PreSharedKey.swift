public import KamuneCrypto

/// The key that whoever uses a closed relay must know. It is erased when nobody refers to it any more, printing shows
/// nothing, and it is compared in a time that depends on the lengths alone.
public final class PreSharedKey: Sendable {
    private let secret: SecretBytes

    /// Copies a key from elsewhere; the original stays the caller's to erase.
    public init(copying bytes: some Collection<UInt8>) {
        secret = SecretBytes(copying: bytes)
    }

    /// Takes a key.
    public init(_ secret: consuming SecretBytes) {
        self.secret = secret
    }

    /// The size in bytes. A key of no bytes acknowledges one: see ``RelayFrame/auth(_:extensions:)``.
    public var count: Int { secret.count }

    /// Lends the bytes. They must not be kept beyond the call.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        secret.withUnsafeBytes { bytes in body(bytes) }
    }
}

extension PreSharedKey: Hashable {
    /// Compares in a time that depends on the lengths alone.
    public static func == (a: PreSharedKey, b: PreSharedKey) -> Bool {
        SecretBytes.constantTimeEqual(a.secret, b.secret)
    }

    /// Hashes the length alone, which is no secret.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(secret.count)
    }
}

extension PreSharedKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name of the type.
    public var description: String { "PreSharedKey" }

    /// The name of the type.
    public var debugDescription: String { description }

    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
