#if os(Linux)
import Foundation
import KamuneCrypto
import KamuneSystem

/// The Secret Service of a desktop (freedesktop.org, "Secret Storage Specification"), through libsecret where that is installed:
/// it is loaded when it is needed, so that nobody must have it. The attributes are those of the library that the Go daemon uses
/// (zalando/go-keyring), which finds what this keeps, and the other way round.
///
/// It may ask the person to unlock the keyring, so every call goes to a thread of its own.
struct SecretService: Keychain {
    func passphrase(for entry: KeychainEntry) async -> JSONSecret? {
        await Self.onThread {
            LibSecret.shared?.withAttributes(entry) { library, attributes in
                guard let text = library.lookup(attributes) else { return nil }
                defer { library.freePassword(text) }
                return JSONSecret(SecretBytes(copying: UnsafeRawBufferPointer(start: text, count: strlen(text))))
            } ?? nil
        }
    }

    func keep(_ passphrase: JSONSecret, for entry: KeychainEntry) async -> Bool {
        await Self.onThread {
            LibSecret.shared?.withAttributes(entry) { library, attributes in
                // A text ends at a zero here.
                guard !passphrase.bytes.withUnsafeBytes({ $0.contains(0) }) else { return false }
                let text = SecretBytes(unsafeUninitializedCapacity: passphrase.bytes.count + 1) { buffer in
                    passphrase.bytes.withUnsafeBytes { buffer.copyMemory(from: $0) }
                }
                return text.withUnsafeBytes { bytes in
                    guard let start = bytes.baseAddress else { return false }
                    return library.store(attributes, "Password for '\(entry.account)' on '\(entry.service)'", start)
                }
            } ?? false
        }
    }

    func remove(_ entry: KeychainEntry) async -> Bool {
        await Self.onThread {
            LibSecret.shared?.withAttributes(entry) { library, attributes in library.clear(attributes) } ?? false
        }
    }

    private static func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }
}

/// The functions of libsecret, as its header has them; booleans are its C library's, integers.
private final class LibSecret: Sendable {
    static let shared = LibSecret()

    typealias Attributes = UnsafeMutableRawPointer
    private typealias NewTable = @convention(c) (UnsafeRawPointer?, UnsafeRawPointer?) -> UnsafeMutableRawPointer?
    private typealias Insert =
        @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer, UnsafeRawPointer) -> Int32
    private typealias Release = @convention(c) (UnsafeMutableRawPointer) -> Void
    private typealias Lookup =
        @convention(c) (
            UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeRawPointer?, UnsafeMutableRawPointer?
        ) -> UnsafeMutablePointer<CChar>?
    private typealias Store =
        @convention(c) (
            UnsafeRawPointer, UnsafeMutableRawPointer, UnsafePointer<CChar>?, UnsafePointer<CChar>,
            UnsafePointer<CChar>, UnsafeRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32
    private typealias Clear =
        @convention(c) (
            UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32

    private let newTable: NewTable
    private let insert: Insert
    private let release: Release
    private let hash: Address
    private let equal: Address
    private let lookupPassword: Lookup
    private let storePassword: Store
    private let clearPassword: Clear
    private let free: Release
    /// A `SecretSchema`, which lives as long as the process.
    private let schema: Address

    /// An address that is never written through. Unchecked, and right: what it points to is code of a library that is never
    /// unloaded, or the schema, which is complete before it is shared, and is neither changed nor freed after that.
    private struct Address: @unchecked Sendable {
        let pointer: UnsafeRawPointer
    }

    private init?() {
        guard let library = dlopen("libsecret-1.so.0", RTLD_NOW | RTLD_LOCAL) else { return nil }
        func symbol(_ name: String) -> UnsafeMutableRawPointer? { dlsym(library, name) }
        guard let newTable = symbol("g_hash_table_new"), let insert = symbol("g_hash_table_insert"),
            let release = symbol("g_hash_table_unref"), let hash = symbol("g_str_hash"),
            let equal = symbol("g_str_equal"), let lookup = symbol("secret_password_lookupv_sync"),
            let store = symbol("secret_password_storev_sync"), let clear = symbol("secret_password_clearv_sync"),
            let free = symbol("secret_password_free"), let schema = Self.makeSchema()
        else { return nil }
        // The casts are right: each symbol is a function of libsecret or GLib, whose headers declare what its type above says
        // (`secret-password.h`, `ghash.h`), and the ABI of those that are exported does not change within the version that is
        // named when the library is loaded. The library is never unloaded.
        self.newTable = unsafeBitCast(newTable, to: NewTable.self)
        self.insert = unsafeBitCast(insert, to: Insert.self)
        self.release = unsafeBitCast(release, to: Release.self)
        self.hash = Address(pointer: hash)
        self.equal = Address(pointer: equal)
        lookupPassword = unsafeBitCast(lookup, to: Lookup.self)
        storePassword = unsafeBitCast(store, to: Store.self)
        clearPassword = unsafeBitCast(clear, to: Clear.self)
        self.free = unsafeBitCast(free, to: Release.self)
        self.schema = schema
    }

    /// A `SecretSchema` (libsecret, `secret-schema.h`): a name, flags, up to 32 attributes, each a name and a type of which 0 is
    /// text, and reserved words.
    private static func makeSchema() -> Address? {
        let word = MemoryLayout<UInt>.size
        let memory = UnsafeMutableRawPointer.allocate(byteCount: word * (2 + 2 * 32 + 8), alignment: word)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: word * (2 + 2 * 32 + 8))
        guard let name = strdup("org.freedesktop.Secret.Generic"), let service = strdup("service"),
            let user = strdup("username")
        else { return nil }
        memory.storeBytes(of: UInt(bitPattern: name), as: UInt.self)
        // SECRET_SCHEMA_DONT_MATCH_NAME: what others have kept under another schema is found too.
        memory.storeBytes(of: 2, toByteOffset: word, as: Int32.self)
        memory.storeBytes(of: UInt(bitPattern: service), toByteOffset: 2 * word, as: UInt.self)
        memory.storeBytes(of: UInt(bitPattern: user), toByteOffset: 4 * word, as: UInt.self)
        return Address(pointer: UnsafeRawPointer(memory))
    }

    /// Lends the attributes of an entry.
    func withAttributes<Result>(_ entry: KeychainEntry, _ body: (LibSecret, Attributes) -> Result) -> Result? {
        guard let table = newTable(hash.pointer, equal.pointer) else { return nil }
        defer { release(table) }
        return "service".withCString { serviceName in
            entry.service.withCString { service in
                "username".withCString { userName in
                    entry.account.withCString { user in
                        _ = insert(table, serviceName, service)
                        _ = insert(table, userName, user)
                        return body(self, table)
                    }
                }
            }
        }
    }

    func lookup(_ attributes: Attributes) -> UnsafeMutablePointer<CChar>? {
        lookupPassword(schema.pointer, attributes, nil, nil)
    }

    func freePassword(_ text: UnsafeMutablePointer<CChar>) { free(text) }

    func store(_ attributes: Attributes, _ label: String, _ text: UnsafeRawPointer) -> Bool {
        label.withCString { label in
            storePassword(
                schema.pointer, attributes, nil, label, text.assumingMemoryBound(to: CChar.self), nil, nil) != 0
        }
    }

    func clear(_ attributes: Attributes) -> Bool { clearPassword(schema.pointer, attributes, nil, nil) != 0 }
}
#endif
