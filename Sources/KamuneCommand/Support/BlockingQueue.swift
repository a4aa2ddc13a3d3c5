import Dispatch

/// A thread for calls that block, such as reading a terminal: the threads of Swift's tasks are few, and must not wait.
/// Calls run one after another, in the order in which they were made.
struct BlockingQueue: Sendable {
    private let queue: DispatchQueue

    init(_ label: String) {
        queue = DispatchQueue(label: label)
    }

    /// Runs `body` there, and waits without holding a thread. Called by an actor, it stays on that actor until the call
    /// has its place in the queue.
    nonisolated(nonsending) func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: body()) }
        }
    }
}
