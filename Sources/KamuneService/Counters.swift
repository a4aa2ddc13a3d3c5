import CoreMetrics
import Kamune

/// What is counted, for whichever backend the program has set up.
enum Counters {
    static var sessions: Counter { Counter(label: "kamune_sessions_total") }
    static var received: Counter { Counter(label: "kamune_messages_received_total") }
    static var delivered: Counter { Counter(label: "kamune_messages_delivered_total") }
    static var reconnections: Counter { Counter(label: "kamune_reconnections_total") }

    static func refused(_ reason: KamuneError.Code) {
        Counter(label: "kamune_refusals_total", dimensions: [("reason", reason.description)]).increment()
    }
}
