/// Runs `body`, and cancels it when it takes longer than `limit`.
///
/// - Throws: What `body` throws; `expired` when the time ran out, whatever the cancelled body threw.
func withDeadline<R: Sendable>(
    _ limit: Duration?, by alarms: AlarmClock = .shared, expired: KamuneError,
    _ body: @escaping @Sendable () async throws(KamuneError) -> R
) async throws(KamuneError) -> R {
    guard let limit else { return try await body() }
    let result = await withTaskGroup(of: Result<R, KamuneError>?.self) { group in
        group.addTask {
            do throws(KamuneError) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        group.addTask {
            try? await alarms.sleep(for: limit)
            return nil
        }
        // Whoever comes first wins; the other is cancelled and waited for, so nothing outlives the call.
        let first = await group.next() ?? nil
        group.cancelAll()
        return first
    }
    switch result {
    case .success(let value): return value
    case .failure(let error): throw error
    case nil: throw Task.isCancelled ? .cancellation : expired
    }
}
