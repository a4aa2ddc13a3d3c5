// swift-tools-version: 5.4
//
// Coverage-guided fuzzing; see scripts/fuzz, which builds and runs this.
//
// The tools version is an old one on purpose: with newer ones the package manager renames a program's entry point, and
// libFuzzer, which brings its own, does not link. For the same reason the sources are linked in here rather than depended
// on: the fuzzer needs them instrumented, with their internals, and without the parts that no byte from outside reaches.

import PackageDescription

let package = Package(
    name: "kamune-fuzz",
    platforms: [.macOS("15.0")],
    dependencies: [
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    ],
    targets: [
        .target(name: "KamuneSystem"),
        .target(
            name: "KamuneCrypto",
            dependencies: [
                "KamuneSystem",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ]
        ),
        .target(
            name: "KamuneProtocol",
            dependencies: [
                "KamuneCrypto",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["Protobuf/kamune.proto"]
        ),
        .target(name: "KCP"),
        .target(name: "KamuneRelayProtocol", dependencies: ["KamuneCrypto"]),
        .target(
            name: "KamuneBroker",
            dependencies: ["KamuneCrypto", "KamuneSystem", .product(name: "Crypto", package: "swift-crypto")]
        ),
        .target(
            name: "KamuneTraversal",
            dependencies: ["KamuneBroker", "KamuneCrypto", .product(name: "Crypto", package: "swift-crypto")]
        ),
        .target(
            name: "KamuneTransport",
            dependencies: ["KamuneCrypto", "KamuneRelayProtocol", .product(name: "NIOCore", package: "swift-nio")]
        ),
        .target(
            name: "KamuneStore",
            dependencies: [
                "KamuneCrypto",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]
        ),
        .target(name: "KamuneTerminal"),
        .target(name: "KamuneDaemon", dependencies: ["KamuneCrypto", "KamuneSystem"]),
        .target(name: "KamuneTestSupport", dependencies: ["KamuneCrypto", "KamuneSystem"]),
        .executableTarget(
            name: "KamuneFuzz",
            dependencies: [
                "KCP", "KamuneBroker", "KamuneCrypto", "KamuneDaemon", "KamuneProtocol", "KamuneRelayProtocol",
                "KamuneStore", "KamuneSystem", "KamuneTerminal", "KamuneTestSupport", "KamuneTransport",
                "KamuneTraversal",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]
        ),
    ]
)

// What today's manifests say by themselves or in other words.
for target in package.targets {
    target.swiftSettings = [
        .unsafeFlags([
            "-swift-version", "6", "-package-name", "kamune", "-enable-testing", "-sanitize=fuzzer",
            "-parse-as-library", "-enable-upcoming-feature", "ExistentialAny", "-enable-upcoming-feature",
            "InternalImportsByDefault", "-enable-upcoming-feature", "MemberImportVisibility",
        ])
    ]
}
