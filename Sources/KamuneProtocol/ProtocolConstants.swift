/// Every number and label of protocol 0.7 in one place, each with its source: sections are those of `docs/PROTOCOL.md`.
public enum ProtocolConstants {
    // MARK: Versions and names

    /// The version that this implementation announces and speaks (§6.2).
    public static let version = "0.7.0"

    // MARK: Sizes, in bytes

    /// The largest frame on the wire: its length prefix has 16 bits (§3.1).
    public static let maximumFrameSize = 65_535

    /// The largest encoded inner message of an envelope (§4.4): what a frame holds, less 4 KiB for signature, metadata
    /// and cipher.
    public static let maximumTransportSize = 65_535 - 4_096

    /// The largest payload of an application message (§4.4): `maximumTransportSize` less the field header around it.
    public static let maximumPayloadSize = maximumTransportSize - 4

    /// What the session cipher adds to a plaintext: a nonce of 24 bytes and a tag of 16 (§7.3).
    static let cipherOverhead = 40

    /// The sizes that envelopes are padded to, before encryption (§4.5). The last one fills a frame exactly.
    static let paddingBuckets = [512, 1_024, 4_096, 16_384, 32_768, maximumFrameSize - cipherOverhead]

    /// The last bucket that padding may raise a challenge to (§4.5): its frame carries the session's cipher and the
    /// tunnel's, and with both the largest bucket does not fit a frame.
    static let largestChallengeBucket = 32_768

    /// The largest frame that a peer of 0.7 takes wherever a relay is between us (§4.5): its client on a WebSocket keeps
    /// its library's limit of 32,768 bytes, of which the relay's own frame takes 24, and nobody can know which way the
    /// peer has to the relay.
    static let cautiousFrameSize = 32_744

    /// How often, in percent, padding goes 0, 1, 2 or 3 buckets further than needed (§4.5).
    static let bumpPercentages = [80, 15, 4, 1]

    /// The salt of each side's handshake message (§6.3).
    static let handshakeSaltSize = 16

    /// A session's identifier, in characters of base32; each side contributes half (§6.3).
    public static let sessionIDLength = 24

    /// The challenges that prove the session's keys (§6.4).
    static let challengeSize = 32

    /// A message's identifier, in characters of base32 (§4.2).
    static let messageIDLength = 26

    /// The random token of a ping, which the pong repeats (§8.2).
    static let pingTokenSize = 8

    // MARK: Resumption (§9)

    /// How many single-use tokens a session yields.
    public static let resumptionTokenCount = 20

    /// The size of one token.
    public static let resumptionTokenSize = 32

    /// How long after its establishment a session can be resumed.
    public static let resumptionWindow = Duration.seconds(24 * 3_600)

    /// The only reason that 0.7 gives for refusing a resumption.
    static let resumptionRefusal = "resumption not available"

    // MARK: Times

    /// How long a handshake may take in all, the person's verdict included (§11).
    public static let handshakeTimeout = Duration.seconds(30)

    /// How long application messages wait for the first frame of a peer who did not announce `direct-start` (§8.4): the
    /// programs of 0.7 that open with session data take our first frame for their answer, so theirs must come first.
    public static let holdBackInterval = Duration.milliseconds(500)

    /// How long a session may be silent before a ping is sent (§8.2).
    public static let keepAliveInterval = Duration.seconds(30)

    /// How many pings in a row may stay without any answer before the peer counts as gone (§8.2).
    public static let keepAliveStrikes = 3

    // MARK: Labels (§7)

    /// Domain separation of every signature.
    static let signatureLabel = "kamune/transport-sign/v1"
    static let transcriptLabel = "kamune/handshake/v1"
    static let initiatorToResponderLabel = "kamune/handshake/client-to-server/v1/"
    static let responderToInitiatorLabel = "kamune/handshake/server-to-client/v1/"
    static let resumptionRootLabel = "kamune/resumption-root/v1"
    static let resumptionTokenLabel = "kamune/resumption/token/v1/"

    // MARK: Labels of our additions (§10)

    static let capabilityMarkerLabel = "kamune/capabilities/marker/v1/"
    static let capabilityBindingLabel = "kamune/capabilities/binding/v1/"
    static let additionKeyLabel = "kamune/addition/v1/"

    // MARK: Session data (§8.4)

    /// The key under which the programs of 0.7 exchange X25519 public keys for later rendezvous at a relay.
    public static let relayKeyField = "ecdh_pubkey"

    // MARK: Capabilities (§10.1)

    /// How many capabilities one introduction may announce.
    static let maximumCapabilityCount = 32

    /// The longest name of a capability.
    static let maximumCapabilityLength = 64

    // MARK: Succession (§10.6)

    /// What a statement about a successor begins with: nothing else that is signed does.
    static let successionLabel = "kamune/succession/v1"

    /// How many statements one introduction may carry.
    static let maximumSuccessionCount = 8

    /// How many bytes its statements may have together: with them an introduction still fits a frame.
    static let maximumSuccessionSize = 49_152

    /// The alphabet of session and message identifiers (§4.2), that of RFC 4648 §6.
    static let base32Alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
}
