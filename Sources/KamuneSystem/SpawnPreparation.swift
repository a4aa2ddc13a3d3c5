// The types that `posix_spawn(3)` is prepared with are pointers on Apple's systems and structures elsewhere.

#if canImport(Darwin)
/// What a child does with descriptors before it begins.
package typealias SpawnActions = posix_spawn_file_actions_t?
/// What a child is made with.
package typealias SpawnAttributes = posix_spawnattr_t?
#else
/// What a child does with descriptors before it begins.
package typealias SpawnActions = posix_spawn_file_actions_t
/// What a child is made with.
package typealias SpawnAttributes = posix_spawnattr_t
#endif

/// Runs `body` with empty preparations for `posix_spawn(3)`, and frees them afterwards.
package func withSpawnPreparation<Result, Failure: Error>(
    _ body: (inout SpawnActions, inout SpawnAttributes) throws(Failure) -> Result
) throws(Failure) -> Result {
    #if canImport(Darwin)
    var actions: SpawnActions = nil
    var attributes: SpawnAttributes = nil
    #else
    var actions = SpawnActions()
    var attributes = SpawnAttributes()
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
    }
    return try body(&actions, &attributes)
}
