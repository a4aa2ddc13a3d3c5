/// The variables that the process was started with, each a name, an equals sign and a value: bytes, which need not be UTF-8.
package func systemEnvironment() -> [[UInt8]] {
    var entries: [[UInt8]] = []
    var next = environ
    while let entry = next.pointee {
        entries.append(Array(UnsafeBufferPointer(start: entry, count: strlen(entry)).map(UInt8.init(bitPattern:))))
        next += 1
    }
    return entries
}
