/// What can go wrong with a store. `description` is one sentence for a person: what happened and what to do. None carries
/// a secret, or anything that the store keeps.
public enum StoreError: Error, Equatable, Sendable {
    /// There is no store at the path.
    case notFound(path: String)
    /// There is something at the path where a new store was to be made.
    case alreadyExists(path: String)
    /// The passphrase is not the store's. `failures` counts how often in a row, this one included.
    case wrongPassphrase(failures: Int)
    /// The store has a passphrase and none was given.
    case passphraseRequired
    /// The store was made without a passphrase and one was given.
    case notProtected
    /// The passphrase is empty.
    case emptyPassphrase
    /// The file is something else.
    case notAStore(path: String)
    /// The file is no backup.
    case notABackup(path: String)
    /// What is at the path is something other than a file, so no store can be there.
    case notAFile(path: String, kind: FileKind)
    /// What is to be replaced is no plain file, or is a part of the store itself.
    case notReplaceable(path: String)
    /// The file is shorter than it must be.
    case truncated(path: String)
    /// A page of the file, or a record in it, is not as it was written.
    case damaged(what: String)
    /// A later version wrote the store or backup.
    case newerVersion(found: Int, supported: Int)
    /// There is no room on the disk.
    case diskFull
    /// The file or its folder may not be written.
    case readOnly(path: String)
    /// The file or its folder may not be opened.
    case accessDenied(path: String)
    /// Another process, or another handle of this one, has the store open. The number is the process's, if known.
    case inUse(process: Int32?)
    /// Others than the owner may read or write the file. `mode` has the permission bits.
    case readableByOthers(path: String, mode: UInt32)
    /// The record that was asked for is not in the store.
    case noSuchRecord(what: String)
    /// The key is somebody else's already.
    case conflict(what: String)
    /// Somebody is not let in, as their key stands now.
    case refused(TrustRefusal)
    /// The peer has another key by now than the one that something was said about. Nothing was changed.
    case keyHasChanged
    /// The operation does not fit: a bug of the caller's.
    case misuse(reason: String)
    /// The store was closed.
    case closed
    /// The task was cancelled. Nothing was changed.
    case cancelled
    /// The system refused, with its own words.
    case system(operation: String, reason: String)
    /// A backup was read back after it was written and is not what was written.
    case backupNotVerified

    /// What there is at a path, besides files.
    public enum FileKind: Sendable {
        /// A folder.
        case folder
        /// A device.
        case device
        /// A named pipe.
        case pipe
        /// A socket.
        case socket
        /// A symbolic link, to where nothing is.
        case linkToNothing
        /// Something else.
        case other
    }
}

extension StoreError: CustomStringConvertible {
    /// One sentence for a person.
    public var description: String {
        switch self {
        case .notFound(let path): "There is no store at \(path)."
        case .alreadyExists(let path): "There is already a file at \(path); it was left as it is."
        case .wrongPassphrase: "The passphrase is wrong."
        case .passphraseRequired: "The store is protected by a passphrase; give it to open the store."
        case .notProtected: "The store has no passphrase; open it without one, and then set one."
        case .emptyPassphrase: "The passphrase is empty; choose one, or say that you want none."
        case .notAStore(let path): "The file \(path) is not a Kamune store."
        case .notABackup(let path): "The file \(path) is not a Kamune backup."
        case .notAFile(let path, let kind): "What is at \(path) is \(kind.words); name a file for the store."
        case .notReplaceable(let path):
            "The file \(path) is a part of the store, a link, or no plain file, so it is not replaced; name another file."
        case .truncated(let path):
            "The store \(path) is incomplete: a part of the file is missing. It was left as it is; restore a backup."
        case .damaged(let what):
            "The store is damaged (\(what)). It was left as it is; copy the file away and restore a backup."
        case .newerVersion(let found, let supported):
            "This was written by a later version of Kamune (format \(found), this version knows \(supported)). Update Kamune."
        case .diskFull: "The disk is full: what was stored is safe, but nothing more can be stored until there is room."
        case .readOnly(let path): "The store \(path) cannot be written; check its permissions and those of its folder."
        case .accessDenied(let path): "The file \(path) cannot be opened; check its permissions and its owner."
        case .inUse(let process):
            if let process {
                "The store is in use by another Kamune (process \(process)); close that one first."
            } else {
                "The store is in use by another Kamune; close that one first."
            }
        case .readableByOthers(let path, let mode):
            "Others can read or change \(path) (mode \(String(mode, radix: 8))); run: chmod 600 '\(path)'."
        case .noSuchRecord(let what): "There is no such \(what) in the store."
        case .conflict(let what): "This \(what) is in the store already."
        case .refused(let refusal): refusal.description
        case .keyHasChanged: "The peer has another key by now; look at it again, and compare that."
        case .misuse(let reason): "The store was used wrongly: \(reason)."
        case .closed: "The store is closed."
        case .cancelled: "The operation was cancelled."
        case .system(let operation, let reason): "\(operation) failed: \(reason)."
        case .backupNotVerified: "The backup could not be read back correctly, so it was not kept; check the disk."
        }
    }
}

extension StoreError.FileKind {
    /// For a sentence.
    fileprivate var words: String {
        switch self {
        case .folder: "a folder"
        case .device: "a device"
        case .pipe: "a pipe"
        case .socket: "a socket"
        case .linkToNothing: "a symbolic link to where nothing is"
        case .other: "something else"
        }
    }
}
