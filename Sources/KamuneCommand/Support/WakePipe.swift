import KamuneSystem

/// Wakes those who wait in `poll(2)`, once and for all.
final class WakePipe: Sendable {
    /// Becomes readable when it is time to wake, and stays so. -1, which `poll` passes over, where the system gave none.
    let descriptor: Int32
    private let writeEnd: Int32

    /// Where the system has no descriptors left, nobody is woken.
    init() {
        let ends = try? systemPipe()
        descriptor = ends?.read ?? -1
        writeEnd = ends?.write ?? -1
    }

    deinit {
        if descriptor >= 0 { systemClose(descriptor) }
        if writeEnd >= 0 { systemClose(writeEnd) }
    }

    /// Wakes everybody, also those who come later.
    func wake() {
        withUnsafeBytes(of: UInt8(0)) { _ = systemWrite(writeEnd, $0) }
    }
}
