// The system's C library, under whichever name it goes. Files that speak to the system import it from here.
#if canImport(Darwin)
@_exported public import Darwin
#elseif canImport(Musl)
@_exported public import Musl
#else
@_exported public import Glibc
#endif
