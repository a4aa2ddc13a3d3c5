// swift-tools-version: 6.2

import PackageDescription

/// Settings that every target of ours is built with.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "kamune",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Kamune", targets: ["Kamune"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    ],
    targets: [
        .target(
            name: "KamuneCrypto",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "KamuneProtocol",
            dependencies: [
                "KamuneCrypto",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["Protobuf/kamune.proto"],
            swiftSettings: settings
        ),
        .target(
            name: "KamuneTransport",
            dependencies: [
                "KamuneProtocol",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Kamune",
            dependencies: ["KamuneCrypto", "KamuneProtocol", "KamuneTransport"],
            swiftSettings: settings
        ),
        .target(
            name: "KamuneBenchmark",
            dependencies: ["Kamune", "KamuneCrypto", "KamuneProtocol"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "KamuneTests",
            dependencies: ["Kamune", "KamuneTransport"],
            swiftSettings: settings
        ),
    ]
)
