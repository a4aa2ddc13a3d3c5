import KamuneCrypto
import KamuneSystem

extension Daemon {
    /// Decides about somebody who introduces themselves, and asks the program if need be.
    func verify(_ introduction: DaemonIntroduction) async -> DaemonVerdict {
        guard phase == .running else { return .refuse }
        let name = introduction.name
        switch settings.mode {
        case .autoAccept:
            log(.info, "Auto-accepted peer: \(name)")
            return introduction.isKnown ? .acceptKnown : .acceptAnybody
        case .quick where introduction.isKnown:
            log(.info, "Auto-accepted known peer: \(name)")
            return .acceptKnown
        case .quick, .strict: break
        }
        guard verifications.count < DaemonLimits.pendingVerifications else {
            log(.warning, "Refused a peer: \(DaemonLimits.pendingVerifications) others wait to be verified")
            return .refuse
        }
        switch await ask(about: introduction) {
        case .accepted:
            endVerifying()
            return .accept
        case .refused, .gone:
            endVerifying()
            return .refuse
        case .timedOut:
            statusBefore = nil
            setStatus(.error, "Verification timed out")
            return .refuse
        }
    }

    private func ask(about introduction: DaemonIntroduction) async -> PendingVerification.Answer {
        lastVerification += 1
        let number = lastVerification
        if statusBefore == nil { statusBefore = status }
        setStatus(.verifying, "Verifying fingerprint of \(introduction.name)...")
        log(.info, "Verifying peer: \(introduction.name)")
        let key = introduction.key.fingerprint
        emit(
            .verifyPeer,
            .members([
                "emoji": .list(key.emoji.map(JSONValue.text)), "hex": .text(key.hex),
                "known": .flag(introduction.isKnown), "mode": .text(settings.mode == .strict ? "strict" : "quick"),
                "peer_name": .text(introduction.name), "request_id": .integer(number),
            ]))
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let timer = Task { [time] in
                    guard (try? await time.sleep(for: DaemonLimits.verification)) != nil else { return }
                    self.answer(number, .timedOut)
                }
                verifications[number] = PendingVerification(
                    name: introduction.name, continuation: continuation, timer: timer)
                if Task.isCancelled { answer(number, .gone) }
            }
        } onCancel: {
            Task { await self.answer(number, .gone) }
        }
    }

    /// Answers a question once.
    func answer(_ number: Int64, _ answer: PendingVerification.Answer) {
        guard let pending = verifications.removeValue(forKey: number) else { return }
        pending.timer.cancel()
        if answer == .timedOut { log(.warning, "Verification timed out for request: \(number)") }
        pending.continuation.resume(returning: answer)
    }

    /// Says again what was said before fingerprints were looked at, once none is.
    private func endVerifying() {
        guard verifications.isEmpty, let before = statusBefore else { return }
        statusBefore = nil
        if status.0 == .verifying, phase == .running { setStatus(before.0, before.1) }
    }

    func verifyResponse(_ id: String, _ parameters: DaemonParameters) throws(DaemonError) {
        let (number, isAccepted) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            (try members.integer("request_id"), try members.flag("accepted"))
        }
        guard let pending = verifications[number] else {
            log(.warning, "Verification request not found: \(number)")
            throw DaemonError(.verificationNotFound, "verification request not found")
        }
        log(.info, "\(isAccepted ? "Accepted" : "Rejected") peer: \(pending.name)")
        respond(id, ["status": "ok"])
        answer(number, isAccepted ? .accepted : .refused)
    }

    func setVerificationMode(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let number = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.integer("mode") }
        guard let mode = Int(exactly: number).flatMap(VerificationMode.init) else {
            throw DaemonError(.invalidVerificationMode, "invalid mode: \(number)")
        }
        settings.mode = mode
        await keep(.mode, String(mode.rawValue))
        respond(id, ["mode": .text(String(mode.rawValue)), "status": "ok"])
        // It holds at once; but who has set it waits for the server to start again.
        if server.isRunning { try await restartServer("") }
    }

    func setIncognito(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let isEnabled = try parameters.read { (members) throws(JSONMembers.Mismatch) in try members.flag("enabled") }
        settings.isIncognito = isEnabled
        await keep(.incognito, String(isEnabled))
        respond(id, ["enabled": .flag(isEnabled)])
    }
}
