/// A point in civil time as messages carry it (google.protobuf.Timestamp): since 1970-01-01T00:00:00Z.
public struct Timestamp: Equatable, Hashable, Sendable, Comparable {
    /// Whole seconds; negative before 1970.
    public var seconds: Int64
    /// The fraction of the second, 0 ..< 1,000,000,000 when well formed; a peer may send any value.
    public var nanoseconds: Int32

    /// A timestamp of these parts.
    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The time that is this long after the beginning of 1970, or before it when negative.
    package init(sinceEpoch time: Duration) {
        let (seconds, attoseconds) = time.components
        let nanoseconds = Int32(attoseconds / 1_000_000_000)
        // The fraction counts forward from the second, before 1970 too.
        self =
            nanoseconds < 0
            ? Timestamp(seconds: seconds - 1, nanoseconds: nanoseconds + 1_000_000_000)
            : Timestamp(seconds: seconds, nanoseconds: nanoseconds)
    }

    /// Earlier is less.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// What the clocks show when an event happens. The protocol owns no clock: whoever drives it tells the time.
public struct Moment: Equatable, Sendable {
    /// Civil time, for the metadata of messages.
    public var wall: Timestamp
    /// Time since an arbitrary start that never goes back, for intervals.
    public var monotonic: Duration

    /// A moment at which the clocks show these times.
    public init(wall: Timestamp, monotonic: Duration) {
        self.wall = wall
        self.monotonic = monotonic
    }
}
