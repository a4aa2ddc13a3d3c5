import Kamune
import KamuneSystem
import KamuneTerminal

/// What can go wrong with a command itself, beside what the library, the store and files report. The words of each stand here,
/// and nowhere else.
enum Trouble: Error, Equatable, Sendable {
    // Peers, conversations, identities.
    case noSuchPeer(TerminalText, nearest: TerminalText? = nil)
    case noSuchPeerOrAddress(TerminalText, nearest: TerminalText?)
    /// More than one fits; the first of them are named.
    case ambiguousPeer(TerminalText, count: Int, among: [String])
    case noSuchConversation(Int)
    case noSuchRequest(TerminalText)
    case requestNeedsFingerprint
    case nothingToSend
    case blockedPeer(TerminalText)
    case unacceptedPeer(TerminalText)
    case noFingerprint(TerminalText)
    case addressNeedsKey
    case conversationWithAnother(Int, peer: TerminalText)
    case noIdentity
    case noIdentityFile(FilePath)
    case identityExists
    case identityKnown
    /// The node that runs is somebody else.
    case otherIdentity
    /// The node that runs keeps conversations up in its own way.
    case reconnectionOfAnother

    // What is kept.
    case nothingKept(at: String)
    case storeExists(at: String)
    /// Another Kamune has the store, and does not answer.
    case holderSilent(process: Int32?)
    /// Another Kamune has the store, and cannot be found, since the directory of its socket is not the user's alone.
    case holderHidden(process: Int32?, directory: String)
    case runsAlready(process: Int)
    /// The node was told to end, and has not.
    case stopsSlowly(process: Int, seconds: Int64)
    /// Why the process in the background has ended.
    case backgroundFailed(TerminalText)
    case programUnknown
    case backupAtTerminal

    // Passphrases.
    /// - `of`: such as "the backup".
    case passphraseNeeded(of: String, variable: String, option: String)
    case storePassphraseNeeded(variable: String)
    case passphraseEmpty(of: String)
    case passphraseTooLong(limit: Int)
    case passphraseUnreadable(descriptor: Int32, SystemError)
    case terminalSilent(SystemError)
    case noPassphraseChosen
    case backupPassphraseWrong

    // Questions.
    case nobodyToAsk(question: String)
    case declined

    // Conversations.
    case undelivered(Int, isKept: Bool)
    case maybeLost(Int)
    case endedEarly
    /// A message waits.
    case queued(TerminalText, willBeSent: Bool)
    case messageTooLong(limit: Int)

    // The demo.
    case demoListenerClosed
    case demoSessionEnded
    case demoWithoutGoodbye

    // The system.
    case tooFewFiles(limit: UInt64, needed: Int, advised: Int)
    case noProcessFiles

    /// The exit code.
    var status: ExitStatus {
        switch self {
        case .noSuchPeer, .noSuchPeerOrAddress: .unreachable
        case .ambiguousPeer, .noSuchConversation, .noSuchRequest, .messageTooLong,
            .conversationWithAnother, .noIdentity, .noIdentityFile,
            .identityExists, .identityKnown, .nothingKept, .storeExists, .declined, .demoListenerClosed,
            .noProcessFiles:
            .failure
        case .passphraseNeeded, .storePassphraseNeeded, .passphraseEmpty, .passphraseTooLong, .passphraseUnreadable,
            .terminalSilent, .noPassphraseChosen, .backupPassphraseWrong:
            .locked
        case .nobodyToAsk, .backupAtTerminal, .noFingerprint, .addressNeedsKey, .requestNeedsFingerprint,
            .nothingToSend, .otherIdentity, .reconnectionOfAnother:
            .usage
        case .blockedPeer, .unacceptedPeer: .refusedByUs
        case .queued: .queued
        case .undelivered, .maybeLost, .endedEarly, .demoSessionEnded, .demoWithoutGoodbye: .connectionLost
        case .tooFewFiles: .tooFewFiles
        case .holderSilent, .holderHidden, .runsAlready, .stopsSlowly: .storeUnusable
        case .backgroundFailed, .programUnknown: .failure
        }
    }

    /// One sentence that says what happened and what to do.
    var sentence: String {
        switch self {
        case .noSuchPeer(let name, let nearest):
            "No peer is called “\(name)”; "
                + (nearest.map { "do you mean “\($0)”? " } ?? "") + "“kamune peers list” lists those that you know."
        case .noSuchPeerOrAddress(let name, let nearest):
            "“\(name)” is nobody whom you know, and no address"
                + (nearest.map { "; do you mean “\($0)”?" } ?? "; “kamune peers list” lists those that you know.")
        case .ambiguousPeer(let name, let count, let among):
            "“\(name)” may be any of \(count) peers; name one by number, with #: " + among.joined(separator: ", ")
                + (count > among.count ? ", …" : "")
        case .noSuchConversation(let number):
            "There is no conversation \(number); “kamune history list” lists those that there are."
        case .requestNeedsFingerprint:
            "Numbers change when somebody else comes; with --yes, name the request by how its fingerprint begins."
        case .nothingToSend:
            "There is nothing to send: no text, and nothing on standard input."
        case .blockedPeer(let name):
            "You have blocked \(name), so nothing is sent; “kamune peers unblock” lets them in again."
        case .unacceptedPeer(let name):
            "You have not accepted \(name)'s key, or too long ago; compare the fingerprint, and say “kamune peers verify”."
        case .noSuchRequest(let text):
            "There is no request “\(text)”, or more than one; “kamune requests” lists those that there are."
        case .noFingerprint(let text):
            "“\(text)” is no key, no file, and no whole fingerprint (sum, base64 or hex)."
        case .addressNeedsKey:
            "Addresses are kept with a key, and only its fingerprint is known yet; give the key, or the address when you dial."
        case .queued(let name, let willBeSent):
            "The message to \(name) waits: "
                + (willBeSent
                    ? "it goes out as soon as they are there."
                    : "no Kamune runs in the background, so it goes out when you next start, listen or dial.")
        case .messageTooLong(let limit):
            "A message has at most \(limit) bytes."
        case .conversationWithAnother(let number, let peer):
            "Conversation \(number) was with “\(peer)”."
        case .noIdentity:
            "There is no identity yet; make one with “kamune identity new”, or simply listen or dial."
        case .noIdentityFile(let path):
            "There is no identity at “\(path.shown)” yet; make one with “kamune identity new”."
        case .identityExists:
            "An identity exists already. “kamune identity rotate” makes one that takes its place and that your peers can be "
                + "told of; --force takes this one, and retires the other."
        case .identityKnown:
            "This identity is in the store already."
        case .otherIdentity:
            "The Kamune that runs already has another identity than the one of this file; end it first, by “kamune stop”, or "
                + "leave --identity out."
        case .reconnectionOfAnother:
            "The Kamune that runs already keeps conversations up in its own way; end it first, by “kamune stop”, or leave "
                + "--reconnect out."
        case .nothingKept(let path):
            "Nothing is kept at “\(TerminalText(path))” yet; that begins when you listen or dial for the first time, or by "
                + "“kamune identity new”."
        case .storeExists(let path):
            "There is a store at “\(TerminalText(path))” already; say --merge to add what is missing in it, or name another "
                + "by --db."
        case .holderSilent(let process):
            "Another Kamune" + (process.map { " (process \($0))" } ?? "")
                + " has what is kept, and does not answer; end it, and try again."
        case .holderHidden(let process, let directory):
            "Another Kamune" + (process.map { " (process \($0))" } ?? "")
                + " has what is kept, and cannot be found: the directory “\(TerminalText(directory))” is not yours alone; have "
                + "it removed, and start that one anew."
        case .stopsSlowly(let process, let seconds):
            "Kamune was told to end, and has not within \(seconds) s; it is process \(process)."
        case .runsAlready(let process):
            "Kamune runs already (process \(process))."
        case .backgroundFailed(let reason):
            "Kamune did not begin in the background: \(reason)"
        case .programUnknown:
            "It is not known where this program is, so it cannot be started again; say --foreground."
        case .backupAtTerminal:
            "A backup is not for the eye; have standard output go to a file or a program."
        case .passphraseNeeded(let what, let variable, let option):
            "The passphrase of \(what) is needed, and there is no terminal to ask for it: give it in \(variable) or by "
                + "\(option)."
        case .storePassphraseNeeded(let variable):
            "What is kept needs a passphrase, and there is no terminal to ask for it: give it in \(variable) or by "
                + "--passphrase-fd; or say --no-passphrase the first time, to keep everything readable for whoever gets the "
                + "file."
        case .passphraseEmpty(let what):
            "The passphrase of \(what) is empty."
        case .passphraseTooLong(let limit):
            "The passphrase is longer than \(limit) bytes, so it is taken for something else."
        case .passphraseUnreadable(let descriptor, let error):
            "The passphrase cannot be read from descriptor \(descriptor): \(error)."
        case .terminalSilent(let error):
            "The terminal cannot be asked for the passphrase: \(error)."
        case .noPassphraseChosen:
            "No passphrase was chosen, so nothing was done."
        case .backupPassphraseWrong:
            "The passphrase of the backup is wrong, or the beginning of the file is damaged."
        case .nobodyToAsk(let question):
            "There is no terminal to ask you: \(question) If so, say --yes."
        case .declined:
            "Nothing was done."
        case .undelivered(let count, let isKept):
            "\(Count.of(count, "message was", "messages were")) not delivered"
                + (isKept
                    ? " yet. What waits goes out in the next conversation."
                    : ", and nothing is kept of this conversation.")
        case .maybeLost(let count):
            "\(Count.messages(count)) may be lost: the connection broke before they were known to have arrived, and the "
                + "other side does not say what it has."
        case .endedEarly:
            "The conversation was ended before everything was sent."
        case .demoListenerClosed:
            "The demo's listener closed by itself, which should not happen."
        case .demoSessionEnded:
            "The demo's session ended early, which should not happen."
        case .demoWithoutGoodbye:
            "The demo's session did not end with a goodbye, which should not happen."
        case .tooFewFiles(let limit, let needed, let advised):
            "The system allows this program \(limit) open files, and it needs \(needed); raise the limit, such as by "
                + "“ulimit -n \(advised)”."
        case .noProcessFiles:
            "This program finds its arguments below /proc, which is not mounted: “mount -t proc proc /proc”."
        }
    }
}

extension Failure {
    /// Something that went wrong with a command itself.
    init(_ trouble: Trouble) {
        self.init(trouble.status, trouble.sentence)
    }

    /// The person has interrupted it, and knows.
    static let interrupted = Failure(signal: SIGINT)
}
