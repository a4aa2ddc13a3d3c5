// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "kamune",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Kamune", targets: ["Kamune"]),
        .library(name: "KamuneService", targets: ["KamuneService"]),
        .library(name: "KamuneCrypto", targets: ["KamuneCrypto"]),
        .library(name: "KamuneProtocol", targets: ["KamuneProtocol"]),
        .library(name: "KamuneStore", targets: ["KamuneStore"]),
        .library(name: "KamuneNode", targets: ["KamuneNode"]),
        .library(name: "KamuneTestKit", targets: ["KamuneTestKit"]),
        .library(name: "KamuneBenchmark", targets: ["KamuneBenchmark"]),
        .executable(name: "kamune", targets: ["KamuneCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
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
        // What clients and relays say to each other. The relay stands on it too.
        .target(name: "KamuneRelayProtocol", dependencies: ["KamuneCrypto"]),
        .target(name: "KCP"),
        // How two people find each other with the help of a server that both reach by UDP.
        .target(
            name: "KamuneBroker",
            dependencies: [
                "KamuneCrypto", "KamuneSystem",
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),
        // How they find a way through what lies between them.
        .target(
            name: "KamuneTraversal",
            dependencies: [
                "KamuneBroker", "KamuneCrypto",
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),
        .target(
            name: "KamuneTransport",
            dependencies: [
                "KCP",
                "KamuneBroker",
                "KamuneCrypto",
                "KamuneProtocol",
                "KamuneRelayProtocol",
                "KamuneSystem",
                "KamuneTraversal",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]
        ),
        .target(
            name: "KamuneStore",
            dependencies: [
                "KamuneCrypto",
                "KamuneProtocol",
                "KamuneSystem",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]
        ),
        .target(
            name: "Kamune",
            dependencies: [
                "KamuneCrypto",
                "KamuneProtocol",
                "KamuneRelayProtocol",
                "KamuneStore",
                "KamuneSystem",
                "KamuneTransport",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ]
        ),
        .target(
            name: "KamuneSocket",
            dependencies: [
                "KamuneSystem",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .target(
            name: "KamuneNode",
            dependencies: [
                "Kamune", "KamuneCrypto", "KamuneSocket", "KamuneStore", "KamuneSystem", "KamuneTransport",
                .product(name: "DequeModule", package: "swift-collections"),
            ]
        ),
        // For programs that are services; who embeds Kamune in something else does without.
        .target(
            name: "KamuneService",
            dependencies: [
                "Kamune",
                "KamuneStore",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),
        // What lower tests use of the test kit, which itself stands on everything.
        .target(name: "KamuneTestSupport", dependencies: ["KamuneCrypto", "KamuneSystem"]),
        .target(
            name: "KamuneTestKit",
            dependencies: [
                "KCP", "Kamune", "KamuneCrypto", "KamuneProtocol", "KamuneRelayProtocol", "KamuneStore", "KamuneSystem",
                "KamuneTestSupport", "KamuneTransport",
            ]
        ),
        .target(
            name: "KamuneBenchmark",
            dependencies: [
                "Kamune", "KamuneCrypto", "KamuneNode", "KamuneProtocol", "KamuneSocket", "KamuneStore", "KamuneSystem",
            ]
        ),
        // The relay server.
        .target(
            name: "KamuneRelay",
            dependencies: [
                "KamuneBroker", "KamuneCrypto", "KamuneSystem",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        // Windows on a person's Kamune for programs in other languages.
        .target(
            name: "KamuneDaemon",
            dependencies: ["Kamune", "KamuneCrypto", "KamuneNode", "KamuneSocket", "KamuneStore", "KamuneSystem"]),
        .target(name: "KamuneTerminal"),
        .executableTarget(
            name: "KamuneCommand",
            dependencies: [
                "Kamune",
                "KamuneBenchmark",
                "KamuneDaemon",
                "KamuneNode",
                "KamuneSocket",
                "KamuneStore",
                "KamuneSystem",
                "KamuneTerminal",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        // Writes the schemas of the node's vocabulary: see scripts/generate-schema.
        .executableTarget(
            name: "KamuneSchema", dependencies: ["KamuneCrypto", "KamuneDaemon", "KamuneNode", "KamuneStore"]),
        // Measures and tests the transports over links that are slow, lossy and interrupted.
        .executableTarget(
            name: "KamuneNetworkLab",
            dependencies: [
                "Kamune",
                "KamuneBroker",
                "KamuneCrypto",
                "KamuneRelay",
                "KamuneSystem",
                "KamuneTestKit",
                "KamuneTransport",
                "KamuneTraversal",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(name: "KamuneSystemTests", dependencies: ["KamuneSystem", "KamuneTestSupport"]),
        .testTarget(
            name: "KamuneCryptoTests",
            dependencies: ["KamuneCrypto", "KamuneTestSupport", .product(name: "Crypto", package: "swift-crypto")],
            resources: [.copy("Resources")]
        ),
        .testTarget(
            name: "KamuneProtocolTests",
            dependencies: [
                "KamuneCrypto", "KamuneProtocol", "KamuneTestSupport",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]
        ),
        .testTarget(
            name: "KamuneRelayProtocolTests",
            dependencies: ["KamuneCrypto", "KamuneRelayProtocol", "KamuneTestSupport"],
            resources: [.copy("Resources")]
        ),
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "KamuneCrypto", "KamuneProtocol", "KamuneTestKit",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            resources: [.copy("Resources")]
        ),
        .testTarget(
            name: "FuzzReplayTests",
            dependencies: [
                "KCP", "KamuneBroker", "KamuneCrypto", "KamuneDaemon", "KamuneProtocol", "KamuneRelayProtocol",
                "KamuneStore", "KamuneTerminal", "KamuneTestSupport",
                "KamuneTransport",
                "KamuneTraversal",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]
        ),
        .testTarget(
            name: "DocumentationTests",
            dependencies: ["KCP", "Kamune", "KamuneService", "KamuneStore", "KamuneTestKit", "KamuneTransport"]
        ),
        .testTarget(
            name: "KamuneBrokerTests",
            dependencies: ["KamuneBroker", "KamuneCrypto", "KamuneTestSupport"],
            resources: [.copy("Resources")]
        ),
        .testTarget(
            name: "KamuneRelayTests",
            dependencies: [
                "KamuneBroker", "KamuneCrypto", "KamuneRelay", "KamuneTestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "KamuneTraversalTests",
            dependencies: ["KamuneBroker", "KamuneCrypto", "KamuneTestSupport", "KamuneTraversal"]
        ),
        .testTarget(
            name: "KCPTests",
            dependencies: ["KCP", "KamuneTestKit"],
            resources: [.copy("Resources")]
        ),
        .testTarget(
            name: "KamuneTransportTests",
            dependencies: [
                "KCP", "KamuneBroker", "KamuneCrypto", "KamuneRelay", "KamuneRelayProtocol", "KamuneSystem",
                "KamuneTestKit", "KamuneTestSupport", "KamuneTransport", "KamuneTraversal",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "KamuneStoreTests",
            dependencies: [
                "KamuneCrypto", "KamuneProtocol", "KamuneStore", "KamuneTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            resources: [.copy("Resources")]
        ),
        .testTarget(
            name: "KamuneTests",
            dependencies: [
                "Kamune",
                "KamuneRelayProtocol",
                "KamuneStore",
                "KamuneSystem",
                "KamuneTestKit",
                "KamuneTransport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "KamuneNodeTests",
            dependencies: [
                "Kamune", "KamuneCrypto", "KamuneNode", "KamuneSocket", "KamuneStore", "KamuneSystem",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
        .testTarget(
            name: "KamuneDaemonTests",
            dependencies: [
                "KamuneCrypto", "KamuneDaemon", "KamuneNode", "KamuneStore", "KamuneSystem", "KamuneTestKit",
            ]),
        .testTarget(
            name: "KamuneSchemaTests",
            dependencies: [
                "Kamune", "KamuneCrypto", "KamuneDaemon", "KamuneNode", "KamuneSchema", "KamuneSocket", "KamuneStore",
                "KamuneTestSupport",
            ]),
        .testTarget(
            name: "KamuneTerminalTests", dependencies: ["KamuneTerminal", "KamuneTestSupport"],
            resources: [.copy("Resources")]),
        .testTarget(
            name: "KamuneCommandTests",
            dependencies: [
                "Kamune", "KamuneBenchmark", "KamuneCommand", "KamuneNode", "KamuneStore", "KamuneSystem",
                "KamuneTerminal",
                "KamuneTestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(
            name: "KamuneServiceTests",
            dependencies: [
                "Kamune", "KamuneService", "KamuneStore",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
            ]
        ),
        .testTarget(name: "KamuneTestKitTests", dependencies: ["KamuneTestKit"]),
        // The programs are named too, so that they are built before they are run.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Kamune", "KamuneCommand", "KamuneCrypto", "KamuneNetworkLab", "KamuneNode", "KamuneStore",
                "KamuneSystem",
                "KamuneTestKit",
            ]
        ),
    ]
)

// What every target of ours is built with.
for target in package.targets {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]
}
