/// Names a peer within one store. Random: it says nothing about who it is or when they were met. It stays the same when
/// the peer's name or key changes.
public struct PeerID: Hashable, Sendable {
    package let row: Int64

    package init(row: Int64) {
        self.row = row
    }
}

/// Names an identity within one store. Random.
public struct IdentityID: Hashable, Sendable {
    package let row: Int64
}

/// Names a session within one store. Later sessions have larger ones.
public struct SessionID: Hashable, Comparable, Sendable {
    package let row: Int64

    package init(row: Int64) {
        self.row = row
    }

    /// Compares the order in which they were stored.
    public static func < (a: SessionID, b: SessionID) -> Bool { a.row < b.row }
}

/// A message's place in the history. Later messages have larger ones; there are gaps. A merged backup moves messages, so
/// do not keep one for long.
public struct MessagePosition: Hashable, Comparable, Sendable {
    package let row: Int64

    package init(row: Int64) {
        self.row = row
    }

    /// Compares the order in the history.
    public static func < (a: MessagePosition, b: MessagePosition) -> Bool { a.row < b.row }

    /// Whether it comes directly after another, so that nothing can ever have stood between.
    public func isNext(after other: MessagePosition) -> Bool { row - 1 == other.row }
}
