// SPDX-License-Identifier: MIT

/// What one candidate writes into the directory of its group, and what it does about what others write: a pure value,
/// as ``ElectionStateMachine`` is.
///
/// Leadership is handed over in four steps, and only the last is a gap: the leader finds the heir in the directory and
/// offers its term; the heir prepares and says that it is ready; the leader's work ends while the lease is renewed; the
/// lease moves. Where the heir never answers, or could not get ready, nothing has changed.
struct DirectoryMachine: Sendable {
    private enum Origin: Sendable {
        case caller(Nonce)
        case instruction(Nonce)
        case priority
    }

    private struct Transfer: Sendable {
        enum Phase: Hashable, Sendable {
            case searching
            case offered(heir: Nonce)
            case draining
        }

        let id: Nonce
        let heir: String
        let origin: Origin
        let deadline: ElectionInstant
        var phase = Phase.searching
    }

    /// How long after it began to wait a candidate has itself listed: one that wins at once need not be.
    static let listingDelay = Duration.milliseconds(300)

    let candidate: Candidate
    private(set) var priority: Int
    let lease: Duration
    let canTransfer: Bool
    private var random: any RandomNumberGenerator & Sendable

    private(set) var position = Position.away
    private var isEligible = true
    private var health: Double?
    private var waitingSince: Int64 = 0
    private var (ready, unready): (Nonce?, Nonce?)
    private var answered: Nonce?
    /// News are owed that others were to hear of at once, and that could not be written.
    private var (isListed, owesNews, failures) = (false, false, 0)
    private var (nextWrite, nextRead) = (ElectionInstant.distantFuture, ElectionInstant.distantFuture)
    private var (lastWrite, lastRead) = (ElectionInstant.distantPast, ElectionInstant.distantPast)
    private var (isReading, mustReadAgain) = (false, false)
    private var handled: Set<Nonce> = []
    private var preferred: (incarnation: Nonce, since: ElectionInstant)?
    private var transfer: Transfer?

    init(
        candidate: Candidate,
        priority: Int,
        lease: Duration,
        canTransfer: Bool,
        random: any RandomNumberGenerator & Sendable
    ) {
        self.candidate = candidate
        self.priority = priority
        self.lease = lease
        self.canTransfer = canTransfer
        self.random = random
    }

    private var ownKey: String { ListedCandidate.key(of: candidate) }
    private var retries: RetrySchedule { .init(first: .milliseconds(250), cap: min(writeInterval, .seconds(16))) }
    /// How often a waiting candidate repeats its note.
    private var writeInterval: Duration { max(lease, .seconds(10)) }
    /// How long a note stays that is not repeated.
    private var lifetime: Duration { writeInterval * 3 }
    /// How often a leader looks for instructions although none was pushed.
    private var readInterval: Duration { max(lease * 3, .seconds(30)) }
    /// How long a candidate may take to get ready.
    private var offerTimeout: Duration { max(lease, .seconds(15)) }

    var wakeup: ElectionInstant? {
        let earliest = min(nextWrite, isReading ? .distantFuture : nextRead, transferDeadline)
        return earliest == .distantFuture ? nil : earliest
    }

    private var transferDeadline: ElectionInstant {
        guard let transfer, transfer.phase != .draining else { return .distantFuture }
        return transfer.deadline
    }

    // MARK: Events

    /// The candidate leads, waits, or takes no part any more.
    mutating func moved(to position: Position, at moment: Moment) -> [Action] {
        guard position != self.position else { return [] }
        let before = self.position
        self.position = position
        var actions: [Action] = []
        (ready, unready) = (nil, nil)
        preferred = nil
        switch position {
        case .leading:
            handled = []
            nextWrite = .distantFuture
            (nextRead, lastRead) = (.distantFuture, moment.now)
            unlist(&actions)
        case .waiting:
            nextRead = .distantFuture
            if case .waiting = before {} else { waitingSince = moment.wallNanoseconds / 1_000_000 }
            nextWrite = isListed ? moment.now : .distantFuture
        case .away:
            (nextWrite, nextRead) = (.distantFuture, .distantFuture)
            unlist(&actions)
        }
        // What drains ends with the machine's own word; what has not come so far ends here.
        if case .leading = before, let transfer, transfer.phase != .draining {
            end(transfer, ElectionError(.transferRefused, "the term ended before the candidate was ready"), &actions)
        }
        return actions
    }

    /// Somebody leads: whoever waits now does so in earnest, not only for an answer.
    mutating func sawLeader(at now: ElectionInstant) {
        if case .waiting = position, !isListed { nextWrite = min(nextWrite, now + Self.listingDelay) }
    }

    /// Whether the candidate would lead, and how well it is; tells others at once.
    mutating func changed(isEligible: Bool, health: Double?, at now: ElectionInstant) -> [Action] {
        guard isEligible != self.isEligible || health != self.health else { return [] }
        // A score that moves a little is told with the next note.
        if isEligible != self.isEligible, isListed { nextWrite = now }
        (self.isEligible, self.health) = (isEligible, health)
        return timerFired(at: now)
    }

    /// The candidate is to be preferred more or less than before; tells others at once.
    mutating func changed(priority: Int, at now: ElectionInstant) -> [Action] {
        guard priority != self.priority else { return [] }
        self.priority = priority
        var actions: [Action] = []
        switch position {
        case .away: break
        case .waiting(let nonce): if isListed { write(nonce, isNews: true, at: now, &actions) }
        case .leading: nextRead = now
        }
        return actions + timerFired(at: now)
    }

    /// The store says that a note was written.
    mutating func noted(at now: ElectionInstant) -> [Action] {
        switch position {
        case .away: return []
        case .waiting: guard isListed else { return [] }
        case .leading: break
        }
        if isReading { mustReadAgain = true }
        nextRead = now
        return timerFired(at: now)
    }

    /// All candidates of the process have their turn now, so that what they do fits into few calls.
    mutating func patrolled(at now: ElectionInstant) -> [Action] {
        switch position {
        case .away: break
        case .waiting:
            guard isListed, now - lastWrite >= writeInterval * 0.8 else { break }
            nextWrite = now
            // What was offered while nobody pushed is found now.
            nextRead = now
        case .leading:
            if now - lastRead >= readInterval * 0.8 { nextRead = now }
        }
        return timerFired(at: now)
    }

    mutating func timerFired(at now: ElectionInstant) -> [Action] {
        var actions: [Action] = []
        if now >= nextWrite, case .waiting(let nonce) = position {
            write(nonce, isNews: priority > 0 && !isListed, at: now, &actions)
        }
        if now >= nextRead, !isReading {
            isReading = true
            actions.append(.read)
        }
        if let transfer, transfer.phase != .draining, now >= transfer.deadline {
            let error = ElectionError(
                .transferRefused,
                "\"\(transfer.heir)\" is listed but did not say within \(offerTimeout.text()) that it is ready to lead"
            )
            end(transfer, error, &actions)
        }
        return actions
    }

    /// The notes of the group were read; nil if they could not be.
    mutating func read(_ found: [GroupNote]?, at now: ElectionInstant) -> [Action] {
        isReading = false
        var actions: [Action] = []
        guard let found else {
            // Somebody said that there is something to read, and need not say so again.
            nextRead = position == .away ? .distantFuture : now + (transfer == nil ? nextRetry() : .milliseconds(500))
            return actions
        }
        failures = 0
        let notes = DirectoryNotes(found)
        switch position {
        case .away: nextRead = .distantFuture
        case .waiting:
            nextRead = .distantFuture
            if isEligible, let offer = notes.offers.first(where: { $0.heir == candidate.incarnation }),
                offer.id != answered
            {
                answered = offer.id
                actions.append(.prepare(offer: offer.id))
            }
        case .leading(let term):
            nextRead = .distantFuture
            lastRead = now
            for instruction in notes.instructions where instruction.term == term {
                if handled.insert(instruction.id).inserted { follow(instruction, at: now, &actions) }
            }
            if let transfer {
                advance(transfer, notes, at: now, &actions)
            } else {
                prefer(notes, at: now, &actions)
            }
        }
        if mustReadAgain {
            mustReadAgain = false
            nextRead = now
            actions += timerFired(at: now)
        }
        return actions
    }

    /// A note was written, or may not have been: then it is written again, as long as it is of use.
    mutating func wrote(_ request: NoteRequest, _ isDone: Bool, at now: ElectionInstant) {
        guard !isDone else { return failures = 0 }
        if case .waiting = position, isListed, request.key == ownKey {
            (owesNews, nextWrite) = (owesNews || request.isNews, min(nextWrite, now + nextRetry()))
        } else if case .offered = transfer?.phase, request.key.hasPrefix("o-") {
            transfer?.phase = .searching
        }
    }

    /// The candidate is ready to take leadership over, or could not get ready.
    mutating func prepared(_ isReady: Bool, for offer: Nonce, at now: ElectionInstant) -> [Action] {
        var actions: [Action] = []
        guard offer == answered, case .waiting(let nonce) = position else { return actions }
        (ready, unready) = isReady ? (offer, nil) : (nil, offer)
        write(nonce, isNews: true, at: now, &actions)
        return actions
    }

    /// Hands leadership to the candidate of this name, or of this incarnation.
    ///
    /// - Parameter request: tells this request from others, in ``Action/transferEnded(_:_:)``.
    mutating func requestTransfer(_ request: Nonce, to heir: String, at now: ElectionInstant) -> [Action] {
        var actions: [Action] = []
        begin(.caller(request), heir, at: now, &actions)
        return actions
    }

    /// The engine has moved the lease, or could not; nil if the heir has it.
    mutating func transferEnded(_ error: ElectionError?) -> [Action] {
        var actions: [Action] = []
        if let transfer { end(transfer, error, &actions) }
        return actions
    }

    // MARK: Steps

    private mutating func write(_ nonce: Nonce, isNews: Bool, at now: ElectionInstant, _ actions: inout [Action]) {
        let entry = ListedCandidate(
            candidate: candidate,
            priority: priority,
            isEligible: isEligible,
            health: health,
            waitingSince: waitingSince,
            nonce: nonce,
            ready: ready,
            unready: unready
        )
        actions.append(.write(key: entry.key, text: entry.text, lifetime: lifetime, isNews: isNews || owesNews))
        (isListed, owesNews, nextWrite, lastWrite) = (true, false, .distantFuture, now)
    }

    /// Not spread: groups whose notes failed together try again together, in few calls.
    private mutating func nextRetry() -> Duration {
        failures += 1
        return retries.bound(afterFailures: failures)
    }

    private mutating func unlist(_ actions: inout [Action]) {
        guard isListed else { return }
        (isListed, owesNews) = (false, false)
        actions.append(.remove(key: ownKey))
    }

    private mutating func follow(
        _ instruction: DirectoryNotes.Instruction,
        at now: ElectionInstant,
        _ actions: inout [Action]
    ) {
        switch instruction.kind {
        case .resign:
            reply(to: instruction.id, nil, &actions)
            actions.append(.resign(standingDown: instruction.standingDown))
        case .evict:
            reply(to: instruction.id, nil, &actions)
            actions.append(.evict(standingDown: instruction.standingDown))
        case .transfer: begin(.instruction(instruction.id), instruction.heir, at: now, &actions)
        }
    }

    private mutating func begin(_ origin: Origin, _ heir: String, at now: ElectionInstant, _ actions: inout [Action]) {
        let new = Transfer(id: Nonce(using: &random), heir: heir, origin: origin, deadline: now + offerTimeout)
        guard canTransfer else {
            let message = "this store cannot move a lease to a chosen candidate; resign instead"
            return end(new, ElectionError(.unsupported, message), &actions)
        }
        if let transfer {
            let message = "leadership is just being handed to \"\(transfer.heir)\"; wait for that to end"
            return end(new, ElectionError(.transferRefused, message), &actions)
        }
        transfer = new
        // With an instruction came the candidates.
        if case .instruction = origin { return }
        nextRead = now
        mustReadAgain = isReading
        actions += timerFired(at: now)
    }

    private mutating func advance(
        _ transfer: Transfer,
        _ notes: DirectoryNotes,
        at now: ElectionInstant,
        _ actions: inout [Action]
    ) {
        switch transfer.phase {
        case .searching:
            let fit = notes.candidates.filter { $0.isEligible && $0.candidate.isMeant(by: transfer.heir) }
            guard let heir = fit.first else { return end(transfer, notes.refusal(of: transfer.heir), &actions) }
            self.transfer?.phase = .offered(heir: heir.candidate.incarnation)
            let offer = DirectoryNotes.Offer(id: transfer.id, heir: heir.candidate.incarnation)
            actions.append(.write(key: offer.key, text: offer.text, lifetime: offerTimeout, isNews: true))
            // Where nothing is pushed it has to be looked for.
            nextRead = now + .milliseconds(250)
        case .offered(let incarnation):
            guard let heir = notes.candidates.first(where: { $0.candidate.incarnation == incarnation }) else {
                return end(transfer, ElectionError(.transferRefused, "\"\(transfer.heir)\" went away"), &actions)
            }
            guard heir.unready != transfer.id else {
                let message = "\"\(transfer.heir)\" tried to get ready to lead and could not; it says why"
                return end(transfer, ElectionError(.transferRefused, message), &actions)
            }
            guard heir.ready == transfer.id, heir.isEligible else {
                nextRead = now + .milliseconds(250)
                return
            }
            self.transfer?.phase = .draining
            actions.append(.remove(key: DirectoryNotes.Offer(id: transfer.id, heir: incarnation).key))
            actions.append(.transfer(ElectionAction.Heir(candidate: heir.candidate, nonce: heir.nonce)))
        case .draining: break
        }
    }

    /// Hands over to a candidate of higher priority once it has been there for a whole lease, so that one that comes and
    /// goes does not move leadership.
    private mutating func prefer(_ notes: DirectoryNotes, at now: ElectionInstant, _ actions: inout [Action]) {
        guard canTransfer, let best = notes.candidates.first(where: \.isEligible), best.priority > priority else {
            preferred = nil
            return
        }
        if preferred?.incarnation != best.candidate.incarnation { preferred = (best.candidate.incarnation, now) }
        guard let preferred else { return }
        let due = preferred.since + lease
        if now >= due {
            self.preferred = nil
            begin(.priority, "\(best.candidate.incarnation)", at: now, &actions)
        } else {
            nextRead = min(nextRead, due)
        }
    }

    private mutating func end(_ transfer: Transfer, _ error: ElectionError?, _ actions: inout [Action]) {
        if self.transfer?.id == transfer.id { self.transfer = nil }
        if case .offered(let heir) = transfer.phase {
            actions.append(.remove(key: DirectoryNotes.Offer(id: transfer.id, heir: heir).key))
        }
        switch transfer.origin {
        case .caller(let request): actions.append(.transferEnded(request, error))
        case .instruction(let id): reply(to: id, error?.message, &actions)
        case .priority: break
        }
    }

    private func reply(to id: Nonce, _ refusal: String?, _ actions: inout [Action]) {
        let reply = DirectoryNotes.Reply(id: id, refusal: refusal)
        actions.append(.write(key: reply.key, text: reply.text, lifetime: .seconds(60), isNews: true))
    }
}
