import Testing

@testable import KamuneTransport

@Suite("From where an address can be reached")
struct AddressScopeTests {
    @Test(
        "is what the registries say",
        arguments: [
            ("8.8.8.8", .global), ("172.15.255.255", .global), ("172.32.0.0", .global), ("100.63.0.1", .global),
            ("100.128.0.1", .global), ("192.169.0.1", .global), ("2a00:1450::1", .global),
            ("10.0.0.1", .privateUse), ("172.16.0.1", .privateUse), ("172.31.255.255", .privateUse),
            ("192.168.1.1", .privateUse), ("fd00::1", .privateUse), ("fc00::1", .privateUse),
            ("::ffff:192.168.1.1", .privateUse), ("100.64.0.1", .sharedUse), ("100.127.255.255", .sharedUse),
            ("169.254.1.1", .linkLocal), ("fe80::1", .linkLocal), ("fe80::1%eth0", .linkLocal),
            ("febf::1", .linkLocal), ("127.0.0.1", .loopback), ("127.255.0.1", .loopback), ("::1", .loopback),
            ("::ffff:127.0.0.1", .loopback), ("224.0.0.1", .multicast), ("239.255.255.255", .multicast),
            ("ff02::1", .multicast), ("0.0.0.0", .unspecified), ("0.1.2.3", .unspecified), ("::", .unspecified),
            ("::ffff:0.0.0.0", .unspecified), ("255.255.255.255", .reserved), ("240.0.0.1", .reserved),
            ("192.0.2.1", .reserved), ("2001:db8::1", .reserved), ("2002:7f00:1::", .reserved),
            ("64:ff9b::7f00:1", .reserved), ("::127.0.0.1", .reserved),
        ] as [(String, AddressScope)])
    func scopes(address: String, scope: AddressScope) {
        #expect(AddressScope(of: address) == scope)
    }

    @Test("nothing else has one", arguments: ["", "example.org", "1.2.3", "1.2.3.4.5", "::1\0", "%eth0"])
    func none(text: String) {
        #expect(AddressScope(of: text) == nil)
    }
}
