/// A step of the ladder of links on which sessions are tried, from perfect to hardly usable.
public struct LinkRung: Sendable, Hashable, CustomStringConvertible {
    /// What it resembles.
    public let name: String
    /// What the link does in each direction, as ``LinkConditions/init(parsing:)`` reads it.
    public let link: String
    /// How long bulk messages are on it, in bytes: what a slow link carries in a second or so at most.
    public let bulkMessageSize: Int
    /// The time between two small messages on it, in milliseconds: what even TCP can carry there, or nearly.
    public let messageInterval: Int

    /// A rung.
    ///
    /// - Parameters:
    ///   - name: What it resembles.
    ///   - link: What the link does in each direction, as ``LinkConditions/init(parsing:)`` reads it.
    ///   - bulkMessageSize: How long bulk messages are on it, in bytes.
    ///   - messageInterval: The time between two small messages on it, in milliseconds.
    public init(_ name: String, _ link: String, bulkMessageSize: Int = 60_000, messageInterval: Int = 50) {
        self.name = name
        self.link = link
        self.bulkMessageSize = bulkMessageSize
        self.messageInterval = messageInterval
    }

    /// The name.
    public var description: String { name }

    /// No delay, no loss, no limit.
    public static let perfect = LinkRung("perfect", "")
    /// A round trip of 50 ms with 1 % of the packets lost, which a lossy line does to TCP.
    public static let lossy = LinkRung("lossy line", "delay=25ms loss=1% rate=50mbit queue=305k")
    /// A round trip of 50 ms with 5 % of the packets lost.
    public static let veryLossy = LinkRung("very lossy line", "delay=25ms loss=5% rate=50mbit queue=305k")
    /// A round trip of 800 ms with 25 % of the packets lost, in bursts.
    public static let worst = LinkRung(
        "hardly usable", "delay=400ms loss=25% burst=4 step=10ms rate=1mbit queue=100k", bulkMessageSize: 2_000,
        messageInterval: 500)

    /// Every rung, the easiest first.
    public static let ladder: [LinkRung] = [
        perfect,
        LinkRung("local network", "delay=500us rate=100mbit queue=128k"),
        LinkRung("broadband", "delay=25ms rate=50mbit queue=305k"),
        lossy,
        LinkRung(
            "wireless",
            "delay=25ms jitter=10ms loss=2% burst=3 step=10ms reorder=2% late=10ms duplicate=1% rate=20mbit queue=122k"),
        veryLossy,
        LinkRung("deep queue", "delay=20ms rate=2mbit queue=500k", bulkMessageSize: 20_000),
        LinkRung(
            "mobile", "delay=60ms jitter=30ms loss=3% burst=4 step=10ms rate=5mbit queue=250k", bulkMessageSize: 20_000),
        LinkRung("satellite", "delay=300ms loss=2% rate=10mbit queue=732k", bulkMessageSize: 20_000),
        LinkRung(
            "far and bad", "delay=150ms jitter=20ms loss=10% burst=3 step=10ms rate=2mbit queue=150k",
            bulkMessageSize: 5_000, messageInterval: 500),
        LinkRung("half deaf", "delay=50ms loss=25% rate=2mbit queue=50k", bulkMessageSize: 5_000, messageInterval: 500),
        worst,
    ]
}
