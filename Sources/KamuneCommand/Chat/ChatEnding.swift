import KamuneNode
import KamuneSystem

/// Why a conversation, or the waiting for one, is over.
enum ChatEnding: Sendable, Equatable {
    /// The person wants to end it, by /quit or Ctrl-D.
    case quit
    /// A signal asked to end it.
    case signal(Int32)
    /// The session has ended.
    case ended(ConversationEnd)
    /// It did not come about, or failed in some other way.
    case failed(Failure)

    /// What it is for the one who started the program.
    ///
    /// - Parameter wasUnderWay: Whether there was something to end: a conversation, or a listener. Ending that is what was
    ///   asked for; without it, nothing of what was asked for has happened.
    func failure(wasUnderWay: Bool) -> Failure? {
        switch self {
        case .quit: wasUnderWay ? nil : .interrupted
        case .signal(let number):
            wasUnderWay ? nil : Failure(signal: number)
        case .ended(let end): end.by == .failure ? end.error.map { Failure($0) } : nil
        case .failed(let failure): failure
        }
    }
}
