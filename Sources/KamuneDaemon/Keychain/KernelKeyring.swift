#if os(Linux)
import KamuneCrypto
import KamuneSystem

/// The kernel's keyring of the user (keyrings(7), user-keyring(7)): never on a disk, and gone when the machine is restarted.
///
/// The calls have no functions in the C library, and the one for calls without is variadic, which Swift does not call; so it
/// is looked up, with the types of the arguments that the kernel takes: on the platforms that there are, six words go where
/// six variadic words go.
struct KernelKeyring: Keychain {
    private typealias SystemCall = @convention(c) (Int, Int, Int, Int, Int, Int) -> Int

    /// Those of `asm/unistd_64.h`, and of the generic table that the other architectures share.
    private enum Call {
        #if arch(x86_64)
        static let addKey = 248
        static let keyControl = 250
        #else
        static let addKey = 217
        static let keyControl = 219
        #endif
    }

    /// `linux/keyctl.h`
    private enum Operation {
        static let read = 11
        static let search = 10
        static let unlink = 9
        static let setPermissions = 5
    }

    /// `KEY_SPEC_USER_KEYRING`
    private static let userKeyring = -4
    /// Everything for who possesses the key, and to see, read, change and find it for the user, whose other sessions do not
    /// possess it (`linux/keyctl.h`, `KEY_USR_…`).
    private static let permissions = 0x3f0f_0000
    /// The longest passphrase that is kept, in bytes; the kernel takes 32 KiB.
    private static let maximumSize = 4_096

    private let call: SystemCall?

    init() {
        // RTLD_DEFAULT is a null pointer here. Where nothing is found, as in a program that is linked statically, there is no
        // keyring.
        // The cast is right: `syscall(2)` takes a number and up to six words, of which it reads those that the call has; on the
        // systems that this runs on, arguments after the last named one are passed to it like the others.
        call = dlsym(nil, "syscall").map { unsafeBitCast($0, to: SystemCall.self) }
    }

    func passphrase(for entry: KeychainEntry) async -> JSONSecret? {
        guard let call, let key = find(entry) else { return nil }
        var size = 0
        let secret = SecretBytes(unsafeUninitializedCapacity: Self.maximumSize) { buffer in
            size = call(Call.keyControl, Operation.read, key, Int(bitPattern: buffer.baseAddress), buffer.count, 0)
        }
        // It tells the size that there is, also when it does not fit.
        guard (1...Self.maximumSize).contains(size) else { return nil }
        return JSONSecret(
            secret.withUnsafeBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[..<size])) })
    }

    func keep(_ passphrase: JSONSecret, for entry: KeychainEntry) async -> Bool {
        guard let call, (1...Self.maximumSize).contains(passphrase.bytes.count) else { return false }
        let key = withNames(entry) { type, name in
            passphrase.bytes.withUnsafeBytes { bytes in
                call(
                    Call.addKey, type, name, Int(bitPattern: bytes.baseAddress), bytes.count, Self.userKeyring)
            }
        }
        guard key > 0 else { return false }
        return call(Call.keyControl, Operation.setPermissions, key, Self.permissions, 0, 0) == 0
    }

    func remove(_ entry: KeychainEntry) async -> Bool {
        guard let call, let key = find(entry) else { return false }
        return call(Call.keyControl, Operation.unlink, key, Self.userKeyring, 0, 0) == 0
    }

    private func find(_ entry: KeychainEntry) -> Int? {
        guard let call else { return nil }
        let key = withNames(entry) { type, name in
            call(Call.keyControl, Operation.search, Self.userKeyring, type, name, 0)
        }
        return key > 0 ? key : nil
    }

    /// Lends the type of a key and its name, as the kernel takes them.
    private func withNames(_ entry: KeychainEntry, _ body: (_ type: Int, _ name: Int) -> Int) -> Int {
        "user".withCString { type in
            "\(entry.service):\(entry.account)".withCString { name in
                body(Int(bitPattern: type), Int(bitPattern: name))
            }
        }
    }
}
#endif
