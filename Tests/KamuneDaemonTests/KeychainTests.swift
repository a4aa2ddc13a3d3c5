#if os(Linux)
import Foundation
import KamuneCrypto
import Testing

@testable import KamuneDaemon

@Suite("Keychain")
struct KeychainTests {
    @Test("The kernel's keyring keeps, finds and removes, where there is one")
    func kernel() async throws {
        let keyring = KernelKeyring()
        let entry = KeychainEntry(storagePath: "/x/kamune-test-\(UUID().uuidString)")
        #expect(await keyring.passphrase(for: entry) == nil)
        #expect(await !keyring.remove(entry))
        guard await keyring.keep(JSONSecret(SecretBytes(copying: Array("first".utf8))), for: entry) else {
            print("The kernel lets this process have no keyring, so it was not tried.")
            return
        }
        #expect(await keyring.keep(JSONSecret(SecretBytes(copying: Array("second".utf8))), for: entry))
        let found = try #require(await keyring.passphrase(for: entry))
        #expect(found.bytes.withUnsafeBytes { Array($0) } == Array("second".utf8))
        #expect(await keyring.remove(entry))
        #expect(await keyring.passphrase(for: entry) == nil)
    }

    @Test("Entries are named as the Go daemon names them")
    func names() {
        #expect(KeychainEntry(storagePath: "").account == "default")
        #expect(KeychainEntry(storagePath: "/home/ada/kamune.db").account == "kamune.db")
        #expect(KeychainEntry(storagePath: "kamune.db").service == "kamune")
    }
}
#endif
