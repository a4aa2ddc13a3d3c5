import Foundation
import KamuneSystem

extension StoreError {
    /// Translates what Foundation throws about a file, into the system's words rather than its own, which name domains and
    /// codes.
    ///
    /// - Parameter operation: what was being done, as the beginning of a sentence.
    init(file error: any Error, doing operation: String) {
        if let error = error as? StoreError {
            self = error
            return
        }
        let error = error as NSError
        let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError
        let posix = [error, underlying].compactMap(\.self).first { $0.domain == NSPOSIXErrorDomain }
        let isDiskFull = posix.map { [ENOSPC, EFBIG, EDQUOT].contains(Int32(truncatingIfNeeded: $0.code)) } ?? false
        let isOutOfSpace = error.domain == NSCocoaErrorDomain && error.code == CocoaError.fileWriteOutOfSpace.rawValue
        if isDiskFull || isOutOfSpace {
            self = .diskFull
            return
        }
        let reason = posix.map { SystemError(Int32(truncatingIfNeeded: $0.code)).description }
        self = .system(operation: operation, reason: reason ?? "the system does not say why")
    }
}
