/// Everything that a node understands.
public enum NodeVocabulary {
    /// The version of the vocabulary. What is added changes nothing; what is changed gets another number.
    public static let version = 1

    /// All requests.
    public static let requests: [any NodeRequest.Type] = [
        Subscribe.self, GetNodeStatus.self, GetSettings.self, ChangeSettings.self,
        ListIdentities.self, GetSelf.self, NameIdentity.self, CreateIdentity.self, ImportIdentity.self,
        ExportIdentity.self,
        RotateIdentity.self, EraseOldIdentities.self,
        ListContacts.self, GetContact.self, RenameContact.self, VerifyContact.self, BlockContact.self,
        ForgetContact.self, AddContact.self, ListExpected.self, ForgetExpected.self, ListAddresses.self,
        ChangeAddresses.self, ListRequests.self,
        DecideRequest.self, RecognizePeer.self, GetTerms.self, SetTerms.self,
        SendMessages.self, GetMessages.self, GetMessagesForward.self, GetIncoming.self, DeleteMessages.self,
        GetOutput.self, NoteWritten.self,
        Dial.self, Listen.self, StopListening.self, ListConversations.self, GetConversation.self, AwaitDelivery.self,
        PingContact.self, JoinConversation.self, HangUp.self, AnswerVerification.self,
        ListSessions.self, RenameSession.self, DeleteSession.self,
        DistrustContact.self, GetSetting.self, SetSetting.self,
        CreateBackup.self, MergeBackup.self, ChangePassphrase.self,
    ]

    /// A request by its name.
    package static func request(named name: String) -> (any NodeRequest.Type)? { byName[name] }

    private static let byName = Dictionary(requests.map { ($0.name, $0) }) { first, _ in first }
}
