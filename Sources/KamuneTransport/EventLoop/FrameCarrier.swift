internal import NIOCore

/// What moves the bytes of one connection, on its event loop: a stream socket, or a conversation of a datagram socket.
///
/// It gives what arrives to its ``ConnectionEnd``, takes what goes out from the end's outbox, and knows nothing of who
/// waits for either. Its last word to the end is ``ConnectionEnd/carrierEnded(_:)``, which also lets go of the carrier.
protocol FrameCarrier: AnyObject {
    /// How long the peer still gets answers when everything has gone out and both directions are over; `nil` to wait for
    /// the end of the peer's stream, as long as closing may take.
    var lingering: TimeAmount? { get }

    /// Sends what can be sent. When nothing is left and the end ``ConnectionEnd/isFinishing``, our stream ends by ``ConnectionEnd/finishOutput(_:)``.
    func flush()

    /// The end takes bytes again, after it did not.
    func readOn()

    /// Since when the peer has taken nothing of what it should; `nil` if nothing is on its way to it.
    func stalledSince(_ now: NIODeadline) -> NIODeadline?

    /// Ends the connection at once. If our stream has not ended, the peer shall not take this for its end.
    func breakOff()
}
