import KamuneTransport

/// What one endpoint needs of the files that its process may have open.
package enum OpenFiles {
    /// How many it opens before it has a peer, with a store: the event loops', a listener's, the store's, and what the system
    /// opens for it, such as to find a host or to wait for signals; and a few peers', so that it is of some use.
    package static var needed: Int {
        TransportFiles.ofEventLoops + TransportFiles.ofListener + ofStore + ofSystem + peers
            * TransportFiles.ofConnection
    }

    /// The database, its log and index, for each of those that read and write at once; and its lock.
    private static let ofStore = 16
    private static let ofSystem = 8
    private static let peers = 4
}
