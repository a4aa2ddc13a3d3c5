import KamuneSystem

/// Measures the steps of a handshake.
struct StepClock {
    private(set) var steps: [HandshakeStep] = []
    private let time: any TimeSource
    private var last: Duration

    init(time: any TimeSource) {
        self.time = time
        last = time.monotonic
    }

    mutating func finished(_ kind: HandshakeStep.Kind) {
        let now = time.monotonic
        steps.append(HandshakeStep(kind: kind, duration: now - last))
        last = now
    }

    mutating func finishedOnce(_ kind: HandshakeStep.Kind) {
        if !steps.contains(where: { $0.kind == kind }) { finished(kind) }
    }
}
