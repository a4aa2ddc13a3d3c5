public import KamuneCrypto
import Synchronization

/// Random bytes that were recorded: each draw gets the next chunk of a script. For replaying conversations bit for bit.
///
/// It never traps. A draw that is larger than its chunk, or that comes when the script is over, is filled up with zeros;
/// the replay then differs from the recording, and ``progress`` tells why.
///
/// A copy goes on from where the original stood, and both report to the same ``progress``.
public struct ScriptedRandomSource: RandomSource {
    private let script: [[UInt8]]
    private var position = 0

    /// How much of the script was played, by this source and its copies.
    public let progress: Progress

    /// A source that yields these chunks, one to a draw.
    public init(_ script: [[UInt8]]) {
        self.script = script
        progress = Progress(chunkCount: script.count)
    }

    /// Fills a buffer from the next chunk. An empty buffer takes none.
    public mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        guard !buffer.isEmpty else { return }
        let chunk = position < script.count ? script[position] : []
        for index in buffer.indices { buffer[index] = index < chunk.count ? chunk[index] : 0 }
        progress.drew(position, fits: buffer.count == chunk.count)
        position += 1
    }

    /// How much of a script was played.
    public final class Progress: Sendable {
        private struct State {
            var pending: Set<Int>
            var misfits: [Int] = []
        }

        private let state: Mutex<State>

        init(chunkCount: Int) {
            state = Mutex(State(pending: Set(0..<chunkCount)))
        }

        func drew(_ index: Int, fits: Bool) {
            state.withLock { state in
                let isFirst = state.pending.remove(index) != nil
                if !isFirst || !fits { state.misfits.append(index) }
            }
        }

        /// Whether every chunk was drawn, once and whole, and nothing beyond them.
        public var isComplete: Bool {
            state.withLock { $0.pending.isEmpty && $0.misfits.isEmpty }
        }

        /// The positions of draws that did not get one whole chunk of their own: of another size, repeated by a copy of
        /// the source, or beyond the end.
        public var misfits: [Int] {
            state.withLock { $0.misfits }
        }

        /// How many chunks nobody has drawn yet.
        public var remainingCount: Int {
            state.withLock { $0.pending.count }
        }
    }
}
