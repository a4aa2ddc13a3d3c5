#if canImport(Darwin)
import Foundation
import KamuneCrypto
import Security

/// The keychain of Apple's systems: generic passwords, under the names that the Go daemon uses.
struct AppleKeychain: Keychain {
    private static func query(_ entry: KeychainEntry) -> [CFString: Any] {
        [
            kSecClass: kSecClassGenericPassword, kSecAttrService: entry.service, kSecAttrAccount: entry.account,
        ]
    }

    func passphrase(for entry: KeychainEntry) async -> JSONSecret? {
        var query = Self.query(entry)
        query[kSecReturnData] = true
        query[kSecMatchLimit] = kSecMatchLimitOne
        var found: CFTypeRef?
        guard SecItemCopyMatching(query as CFDictionary, &found) == errSecSuccess, let data = found as? Data else {
            return nil
        }
        return JSONSecret(SecretBytes(copying: data))
    }

    func keep(_ passphrase: JSONSecret, for entry: KeychainEntry) async -> Bool {
        let data = passphrase.bytes.withUnsafeBytes { Data($0) }
        let change = [kSecValueData: data] as CFDictionary
        if SecItemUpdate(Self.query(entry) as CFDictionary, change) == errSecSuccess { return true }
        var item = Self.query(entry)
        item[kSecValueData] = data
        item[kSecAttrAccessible] = kSecAttrAccessibleWhenUnlockedThisDeviceOnly
        return SecItemAdd(item as CFDictionary, nil) == errSecSuccess
    }

    func remove(_ entry: KeychainEntry) async -> Bool {
        SecItemDelete(Self.query(entry) as CFDictionary) == errSecSuccess
    }
}
#endif
