import Crypto
import CryptoExtras
import KamuneSystem

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The operating system's random bytes, fit for keys, and quick for small and large requests alike.
///
/// The system is asked for 32 bytes at a time, and ChaCha20 makes as many of them as are needed: the kernel does the same
/// inside, but slower, and each call to it costs as much as several hundred bytes. No state outlives a request, except
/// that small ones are served from a pool, whose bytes are erased as they are handed out, and the rest when the source
/// goes. A copy of a source never yields the same bytes as the original: the pool belongs to whichever of them uses it
/// alone, the other begins a new one.
///
/// A child made by `fork` without `exec` would inherit the pool; do not do that.
public struct SystemRandomSource: RandomSource, @unchecked Sendable {
    // Unchecked because the pool is a mutable object. It is right: the pool is touched only under the exclusive access
    // of a mutating function, and only while it is known to have no second reference.
    private var pool: Pool?

    /// The size of a pool, and from what size on a request does without it, in bytes.
    private static let poolSize = 2_048
    private static let directSize = 1_024

    /// Makes a source. It takes no memory until it is used.
    public init() {}

    /// Fills a buffer with random bytes.
    public mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        guard buffer.count > 0 else { return }
        guard buffer.count < Self.directSize else {
            Self.stretchSystemRandomness(over: buffer)
            return
        }
        if pool == nil || !isKnownUniquelyReferenced(&pool) {
            pool = Pool()
        }
        pool?.take(into: buffer)
    }

    private final class Pool {
        private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: poolSize, alignment: 16)
        private var available = 0

        deinit {
            erase(memory)
            memory.deallocate()
        }

        /// Hands out bytes from the end of what is available, and erases them here. At most `poolSize`.
        func take(into buffer: UnsafeMutableRawBufferPointer) {
            if available < buffer.count {
                stretchSystemRandomness(over: memory)
                available = memory.count
            }
            available -= buffer.count
            let taken = UnsafeMutableRawBufferPointer(rebasing: memory[available..<(available + buffer.count)])
            buffer.copyMemory(from: UnsafeRawBufferPointer(taken))
            erase(taken)
        }
    }

    /// Takes a fresh key from the system and fills a buffer with its keystream (RFC 8439 §2.4).
    private static func stretchSystemRandomness(over buffer: UnsafeMutableRawBufferPointer) {
        let key = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 16) { seed in
            defer { erase(seed) }
            fillWithSystemRandomness(seed)
            return SymmetricKey(data: UnsafeRawBufferPointer(seed))
        }
        erase(buffer)
        do {
            // A key is used once, so its nonce may be anything.
            var stream = try Insecure.ChaCha20CTR.encrypt(
                UnsafeRawBufferPointer(buffer), using: key, nonce: .init(data: [UInt8](repeating: 0, count: 12)))
            stream.withUnsafeMutableBytes { stream in
                buffer.copyMemory(from: UnsafeRawBufferPointer(stream))
                erase(stream)
            }
        } catch {
            preconditionFailure("ChaCha20 cannot make \(buffer.count) bytes: \(error)")
        }
    }
}

extension SystemRandomSource: RandomNumberGenerator {
    /// A random number, for whatever chooses by one.
    public mutating func next() -> UInt64 { integer() }
}
