internal import NIOCore

/// Wakes a machine when it says, on an event loop.
final class MachineTimer {
    private let eventLoop: any EventLoop
    private var scheduled: (at: Duration, task: Scheduled<Void>)?

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Time that never goes back, as machines have it.
    var now: Duration { .nanoseconds(Int64(clamping: eventLoop.now.uptimeNanoseconds)) }

    /// Calls something at a time; `nil` for never. What was asked for before is forgotten.
    func set(_ deadline: Duration?, _ body: @escaping () -> Void) {
        guard deadline != scheduled?.at else { return }
        scheduled?.task.cancel()
        guard let deadline else {
            scheduled = nil
            return
        }
        let task = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(clamping: max(deadline - now, .zero))) {
            [weak self] in
            self?.scheduled = nil
            body()
        }
        scheduled = (deadline, task)
    }
}
