// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "EchoBot",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "kamune", path: "../..")],
    targets: [
        .executableTarget(
            name: "EchoBot",
            dependencies: [.product(name: "Kamune", package: "kamune")],
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    ]
)
