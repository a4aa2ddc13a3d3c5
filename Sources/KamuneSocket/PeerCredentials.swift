import KamuneSystem
import NIOCore

/// Who is at the other end of a local socket, as the system says.
package struct PeerCredentials: Sendable, Equatable {
    /// The effective user.
    package let user: UInt32
    /// The process, where the system tells it.
    package let process: Int32?

    /// Whether it is who we are.
    package var isOwnUser: Bool { user == geteuid() }

    /// Asks the system; nil when it does not tell.
    static func ofPeer(at channel: any Channel) async -> PeerCredentials? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        #if canImport(Darwin)
        // unix(4): LOCAL_PEERCRED at level SOL_LOCAL, which is 0.
        let credentials: xucred? = try? await options.unsafeGetSocketOption(
            level: NIOBSDSocket.OptionLevel(rawValue: 0), name: NIOBSDSocket.Option(rawValue: LOCAL_PEERCRED)
        ).get()
        return credentials.map { PeerCredentials(user: $0.cr_uid, process: nil) }
        #else
        let credentials: Credentials? = try? await options.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED)
        ).get()
        return credentials.map { PeerCredentials(user: $0.user, process: $0.process) }
        #endif
    }

    /// `struct ucred` of unix(7), which the C library shows only to who asks for GNU extensions.
    private struct Credentials {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
    }
}
