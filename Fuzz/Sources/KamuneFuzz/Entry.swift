import KamuneSystem

/// The target that `KAMUNE_FUZZ_TARGET` names.
private let target: FuzzTarget = {
    let name = getenv("KAMUNE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        print("KAMUNE_FUZZ_TARGET names one of:")
        for target in FuzzTarget.allCases { print(target.rawValue) }
        // Not 'exit', which libFuzzer takes for a crash.
        fflush(nil)
        _exit(2)
    }
    return target
}()

/// Called by libFuzzer for every input. What traps, or hangs, or breaks a promise ends the process, and libFuzzer keeps
/// the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.run([UInt8](UnsafeBufferPointer(start: start, count: count)))
    } catch {
        print("\n\(target.rawValue): \(error)")
        // Output may be buffered, and what is in the buffer goes with the process.
        fflush(nil)
        abort()
    }
    return 0
}
