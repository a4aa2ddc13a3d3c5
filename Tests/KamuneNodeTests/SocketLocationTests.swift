import Foundation
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode
@testable import KamuneSocket

@Suite("Where a node is found")
struct SocketLocationTests {
    /// A short place of its own: a socket's path is short.
    private func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let path = "/tmp/kamune-t-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test("the place follows from the path alone, is the same for all programs, and short enough for any system")
    func candidates() {
        let long = "/" + String(repeating: "folder/", count: 1_000) + "kamune.db"
        for path in ["/a", "/b", long] {
            let places = SocketLocation.candidates(for: path)
            #expect(!places.isEmpty && places == SocketLocation.candidates(for: path))
            for place in places {
                #expect(place.path.utf8.count <= SocketLocation.maximumPathSize)
                #expect(place.path.hasPrefix("/") && place.path.hasSuffix(".sock"))
            }
        }
        #expect(SocketLocation.candidates(for: "/a") != SocketLocation.candidates(for: "/b"))
    }

    @Test("the directory is made for the user alone, and one that is there already must be so")
    func directory() async throws {
        try await withDirectory { root in
            let place = SocketLocation(path: root + "/own/x.sock")
            #expect(!place.isTrusted)
            try place.prepareDirectory()
            #expect(try mode(root + "/own") == 0o700)
            #expect(place.isTrusted)
            try place.prepareDirectory()
            for mode in [0o701, 0o710, 0o750, 0o770, 0o755, 0o777, 0o1777] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: root + "/own")
                #expect(throws: SystemError(EPERM)) { try place.prepareDirectory() }
                #expect(!place.isTrusted)
                #expect(await LineClient.connect(to: place) == nil)
            }
        }
    }

    @Test("what only leads to a directory, or is none, is not one")
    func notADirectory() async throws {
        try await withDirectory { root in
            try SocketLocation(path: root + "/own/x.sock").prepareDirectory()
            try FileManager.default.createSymbolicLink(atPath: root + "/link", withDestinationPath: root + "/own")
            try Data().write(to: URL(fileURLWithPath: root + "/file"))
            #expect(chmod(root + "/file", 0o700) == 0)
            for name in ["link", "file"] {
                let place = SocketLocation(path: "\(root)/\(name)/x.sock")
                #expect(throws: SystemError(EPERM)) { try place.prepareDirectory() }
                #expect(!place.isTrusted)
            }
            #expect(throws: SystemError(ENOENT)) {
                try SocketLocation(path: root + "/a/b/x.sock").prepareDirectory()
            }
        }
    }

    @Test(
        "a directory of somebody else's is refused",
        .enabled(if: geteuid() == 0, "only the superuser can give a directory away"))
    func somebodyElse() async throws {
        try await withDirectory { root in
            let place = SocketLocation(path: root + "/own/x.sock")
            try place.prepareDirectory()
            #expect(chown(root + "/own", 65_534, 65_534) == 0)
            #expect(throws: SystemError(EPERM)) { try place.prepareDirectory() }
            #expect(!place.isTrusted)
        }
    }

    @Test("where the first place cannot be had, the next is taken, and what a dead process left is no hindrance")
    func leftovers() async throws {
        try await withDirectory { root in
            let (bad, good) = (SocketLocation(path: root + "/no/no/x.sock"), SocketLocation(path: root + "/own/x.sock"))
            try good.prepareDirectory()
            // As a process leaves it that was killed.
            try await abandon(good)
            #expect(FileManager.default.fileExists(atPath: good.path))
            #expect(await LineClient.connect(to: good) == nil)
            let server = try await LineServer.start(atFirstOf: [bad, good])
            #expect(server.location == good)
            let running = Task {
                await server.run {
                    $0.send(Array("hello\n".utf8)); await $0.flush()
                }
            }
            let client = try #require(await LineClient.connect(to: good))
            #expect(client.peer.isOwnUser)
            var heard: [Line] = []
            await client.receive { heard.append($0) }
            #expect(heard == [.bytes(Array("hello".utf8))])
            await server.close()
            await running.value
            #expect(!FileManager.default.fileExists(atPath: good.path))
            await #expect(throws: SocketFailure.self) { _ = try await LineServer.start(atFirstOf: [bad]) }
            await #expect(throws: SocketFailure.self) { _ = try await LineServer.start(atFirstOf: []) }
        }
    }

    /// Binds a socket and closes it, which leaves its file.
    private func abandon(_ place: SocketLocation) async throws {
        let descriptor = socket(AF_UNIX, streamType, 0)
        #expect(descriptor >= 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: place.path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        #expect(result == 0)
        systemClose(descriptor)
    }

    #if canImport(Darwin)
    private let streamType = SOCK_STREAM
    #else
    private let streamType = Int32(SOCK_STREAM.rawValue)
    #endif

    @Test("nobody is found where no node is, and the node is found by whatever name its store has")
    func finding() async throws {
        #expect(try await RemoteNode.connect(to: Household.place()) == nil)
        try await Household.with { house in
            let link = house.location.path + "-link"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: house.location.path)
            let node = try #require(try await RemoteNode.connect(to: StoreLocation(path: link)))
            #expect(node.process == Int(getpid()) && !node.isLocked)
            await node.close()
        }
    }
}
