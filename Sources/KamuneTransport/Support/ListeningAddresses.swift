internal import NIOCore
internal import NIOPosix

/// The addresses that a listener binds: one port on all of them.
struct ListeningAddresses {
    /// All addresses of this machine.
    static let anyIPv6 = "::"
    static let anyIPv4 = "0.0.0.0"

    /// How often another port is tried when the system's choice for one address is taken on another.
    private static let portAttempts = 8

    /// What was asked for.
    private let requested: Address
    let targets: [SocketAddress]
    /// Whether the name stands for several, so that errors have to say which is meant.
    private let isAmbiguous: Bool

    /// These addresses.
    init(of address: Address, targets: [SocketAddress]) {
        requested = address
        self.targets = targets
        isAmbiguous = false
    }

    /// All addresses of a host.
    ///
    /// - Parameter host: The name or IP address in place of the address's own.
    init(
        of address: Address, host: String, configuration: TransportConfiguration,
        resolvingBy resolver: @escaping NameResolution.Resolver = NameResolution.addresses
    ) async throws(TransportError) {
        requested = address
        targets = try await NameResolution.allAddresses(
            of: host, port: address.port, configuration: configuration,
            on: MultiThreadedEventLoopGroup.singleton.next(), by: resolver)
        isAmbiguous = targets.count > 1
    }

    /// What to call one of the addresses in an error.
    func name(of target: SocketAddress) -> Address {
        isAmbiguous ? Address(scheme: requested.scheme, host: Address(target).host, port: requested.port) : requested
    }

    /// What was asked for, with the port that it has got.
    func address(port: UInt16?) -> Address {
        Address(scheme: requested.scheme, host: requested.host, port: port ?? requested.port)
    }

    /// Binds all that are this machine's.
    ///
    /// - Parameters:
    ///   - bind: Binds one, and tells its port.
    ///   - close: Undoes that.
    /// - Throws: When there is none, or one is taken or forbidden; nothing is bound then.
    func bindAll<Socket>(
        _ bind: (SocketAddress) async throws(TransportError) -> (Socket, port: UInt16?),
        close: (Socket) async -> Void
    ) async throws(TransportError) -> (sockets: [Socket], port: UInt16?) {
        var failure: TransportError?
        for _ in 0..<Self.portAttempts {
            var sockets: [Socket] = []
            var port = requested.port == 0 ? nil : requested.port
            failure = nil
            for target in targets {
                do throws(TransportError) {
                    let (socket, bound) = try await bind(target.with(port: port ?? 0))
                    sockets.append(socket)
                    port = port ?? bound
                } catch {
                    failure = error
                    // A name may have addresses that this machine has not.
                    if !error.meansNotHere { break }
                }
            }
            if let error = failure, !error.meansNotHere {
                for socket in sockets { await close(socket) }
                // The system's choice for one address may be taken on another.
                guard requested.port == 0, !sockets.isEmpty, case .addressInUse = error else { throw error }
            } else if !sockets.isEmpty {
                return (sockets, port)
            } else {
                break
            }
        }
        throw failure ?? .addressNotAvailable(address: "\(requested)")
    }
}
