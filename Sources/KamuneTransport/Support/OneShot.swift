internal import Synchronization

/// A result that arrives once, for one task that waits for it.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case pending
        case waiting(CheckedContinuation<Result<Value, TransportError>, Never>)
        case resolved(Result<Value, TransportError>)
        case consumed
    }

    private let state = Mutex(State.pending)

    /// Gives the result, unless there is one already.
    ///
    /// - Returns: Whether this was the first.
    @discardableResult
    func resolve(_ result: Result<Value, TransportError>) -> Bool {
        let (first, continuation): (Bool, CheckedContinuation<Result<Value, TransportError>, Never>?) =
            state.withLock { state in
                switch state {
                case .pending:
                    state = .resolved(result)
                    return (true, nil)
                case .waiting(let continuation):
                    state = .consumed
                    return (true, continuation)
                case .resolved, .consumed:
                    return (false, nil)
                }
            }
        continuation?.resume(returning: result)
        return first
    }

    /// Waits for the result. To be called once. Cancelling the task resolves it with ``TransportError/cancelled``.
    func wait() async throws(TransportError) -> Value {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                install(continuation)
                if Task.isCancelled { resolve(.failure(.cancelled)) }
            }
        } onCancel: {
            resolve(.failure(.cancelled))
        }
        return try result.get()
    }

    /// Waits for the result, even in a cancelled task. To be called once, and only where the wait has a limit.
    func waitRegardless() async -> Result<Value, TransportError> {
        await withCheckedContinuation { install($0) }
    }

    private func install(_ continuation: CheckedContinuation<Result<Value, TransportError>, Never>) {
        let result: Result<Value, TransportError>? = state.withLock { state in
            if case .resolved(let result) = state {
                state = .consumed
                return result
            }
            state = .waiting(continuation)
            return nil
        }
        if let result { continuation.resume(returning: result) }
    }
}
