import Testing

@testable import KamuneStore

/// A store is closed when its last reference goes, wherever that is: also when what is written or read holds it, whose closures
/// run on the very threads that closing waits for.
@Suite struct LastReferenceTests {
    /// Often, since it depends on who is faster.
    private static let attempts = 300

    private func use(_ store: Store) async throws {
        try await store.write { _ in _ = store.location }
        async let first = store.write { _ in store.path.count }
        async let second = store.write { _ in store.path.count }
        async let read = store.read { _ in store.path.count }
        #expect(try await (first, second, read) == (0, 0, 0))
    }

    @Test func inMemory() async throws {
        for _ in 0..<Self.attempts { try await use(Store.inMemory()) }
    }

    @Test func inAFile() async throws {
        let folder = try Folder()
        try await folder.store().close()
        for _ in 0..<(Self.attempts / 10) {
            let length = folder.location().resolved.path.count
            let store = try folder.reopen()
            #expect(try await store.write { _ in store.path.count } == length)
        }
    }

    /// A write that fails, and one that nobody waits for any more.
    @Test func thrownAndAbandoned() async throws {
        for _ in 0..<Self.attempts {
            let store = try Store.inMemory()
            await #expect(throws: StoreError.closed) {
                try await store.write { _ in
                    if store.path.isEmpty { throw StoreError.closed }
                }
            }
            let task = Task { [store] in try await store.write { _ in store.path } }
            task.cancel()
        }
    }
}
