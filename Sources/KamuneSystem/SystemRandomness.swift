/// Fills a buffer with the operating system's random bytes, fit for keys. This is the one place that asks for them: all
/// randomness of the program descends from here.
///
/// The system can fail only where it has no such call at all (Linux before 3.17). Nothing that this program does would be
/// safe there, so it ends.
package func fillWithSystemRandomness(_ buffer: UnsafeMutableRawBufferPointer) {
    #if canImport(Darwin)
    guard let base = buffer.baseAddress else { return }
    arc4random_buf(base, buffer.count)
    #else
    var rest = buffer[...]
    while !rest.isEmpty {
        let part = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(largestRequest))
        guard getentropy(part.baseAddress, part.count) == 0 else {
            preconditionFailure("the operating system has no random numbers: error \(errno)")
        }
        rest = rest.dropFirst(part.count)
    }
    #endif
}

/// How many bytes `getentropy` gives at once.
private let largestRequest = 256
