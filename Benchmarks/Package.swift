// swift-tools-version: 6.2

import PackageDescription

// A package of its own, so that users of the library do not download what only we need.
let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "kamune", path: "..")],
    targets: [
        .executableTarget(
            name: "MicroBenchmarks",
            dependencies: [
                .product(name: "KamuneBenchmark", package: "kamune"),
                .product(name: "KamuneCrypto", package: "kamune"),
                .product(name: "KamuneProtocol", package: "kamune"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    ]
)
