#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Bytes that nobody else may see: a key, a seed, a shared secret.
///
/// They have one owner, live on the heap, and are overwritten with zeros when the owner goes. Since the type cannot be
/// copied implicitly it cannot be turned into `Any` either, so it cannot be printed, interpolated, reflected on or
/// encoded: the compiler refuses. Compare with ``constantTimeEqual(_:_:)``.
public struct SecretBytes: ~Copyable, @unchecked Sendable {
    // Unchecked because of the pointer. It is right: the memory has this one owner, is written only before `init`
    // returns, and is freed when the owner goes.
    private let memory: UnsafeMutableRawBufferPointer

    /// How many bytes there are.
    public let count: Int

    /// Called after a secret was erased and just before its memory is freed, with that memory: for the test which shows
    /// that it happens. It follows the task, so that tests running beside it are not seen.
    @TaskLocal package static var erasureObserver: ErasureObserver?

    /// A class around the function, because optimised code of Swift 6.3 crashes on a task-local optional function.
    package final class ErasureObserver: Sendable {
        fileprivate let observe: @Sendable (UnsafeRawBufferPointer) -> Void

        package init(_ observe: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) {
            self.observe = observe
        }
    }

    /// Copies bytes from elsewhere. The original stays the caller's to erase.
    public init(copying bytes: some Collection<UInt8>) {
        self.init(unsafeUninitializedCapacity: bytes.count) { buffer in
            buffer.copyBytes(from: bytes)
        }
    }

    /// Copies bytes from elsewhere. The original stays the caller's to erase.
    public init(copying bytes: UnsafeRawBufferPointer) {
        self.init(unsafeUninitializedCapacity: bytes.count) { buffer in
            buffer.copyMemory(from: bytes)
        }
    }

    /// Makes a secret of `capacity` bytes in place.
    ///
    /// - Parameters:
    ///   - capacity: the number of bytes.
    ///   - initialize: writes them. The buffer is zero when it is handed over; what is not written stays zero. If it
    ///     throws, the memory is erased.
    public init<Failure: Error>(
        unsafeUninitializedCapacity capacity: Int,
        initializingWith initialize: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        self.memory = memory
        self.count = capacity
        do {
            try initialize(memory)
        } catch {
            // From here on `self` is whole, so its `deinit` erases and frees.
            throw error
        }
    }

    /// Copies what a type of the library holds. Its closures cannot return a type like this one.
    init(copyingContentsOf bytes: some ContiguousBytes) {
        let size = bytes.withUnsafeBytes { $0.count }
        self.init(unsafeUninitializedCapacity: size) { buffer in
            bytes.withUnsafeBytes { buffer.copyMemory(from: $0) }
        }
    }

    deinit {
        erase(memory)
        Self.erasureObserver?.observe(UnsafeRawBufferPointer(memory))
        memory.deallocate()
    }

    /// Makes `count` random bytes.
    public static func random(count: Int, using random: inout some RandomSource) -> SecretBytes {
        SecretBytes(unsafeUninitializedCapacity: count) { buffer in random.fill(buffer) }
    }

    /// Lends the bytes. They must not be kept beyond the call.
    public borrowing func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(memory))
    }

    /// A second secret with the same bytes, erased on its own.
    public borrowing func copy() -> SecretBytes {
        SecretBytes(copying: UnsafeRawBufferPointer(memory))
    }

    /// Compares two secrets in a time that depends on their lengths only.
    public static func constantTimeEqual(_ a: borrowing SecretBytes, _ b: borrowing SecretBytes) -> Bool {
        KamuneCrypto.constantTimeEqual(UnsafeRawBufferPointer(a.memory), UnsafeRawBufferPointer(b.memory))
    }
}
