public import KamuneProtocol
import KamuneSystem
public import KamuneTestSupport

extension ManualClock {
    /// A clock whose civil time begins here.
    public convenience init(wall: Timestamp) {
        self.init(wall: .seconds(wall.seconds) + .nanoseconds(Int64(wall.nanoseconds)))
    }

    /// Civil and monotonic time together, as the protocol's machines are told them. Monotonic time begins at zero.
    public var moment: Moment {
        let (wall, monotonic) = times
        return Moment(wall: Timestamp(sinceEpoch: wall), monotonic: monotonic)
    }

    /// Sets civil time, as a person or a time server would, forward or back. Nobody is woken: only ``moment`` shows it.
    public func setWall(_ timestamp: Timestamp) {
        setWall(.seconds(timestamp.seconds) + .nanoseconds(Int64(timestamp.nanoseconds)))
    }
}
