// SPDX-License-Identifier: MIT

/// Every decision of one candidate, as a pure value: an event and an instant in, actions out.
///
/// It never awaits, reads no clock, and draws its random numbers from the generator that it was given, so each rule of
/// leases can be tested in microseconds. After each event the owner carries out the returned actions in order and
/// calls ``timerFired(at:nextBeat:)`` at ``wakeup``.
///
/// ```
/// idle ──start──▶ following ──granted──▶ leading ──lost, expired, drained──▶ following
///                     └────────────── stop ──────────────┘──▶ stopped
/// ```
package struct ElectionStateMachine: Sendable {
    package typealias Action = ElectionAction
    package typealias Operation = ElectionAction.Operation
    package typealias Heir = ElectionAction.Heir

    /// idle → following; following → leading, stopped; leading → following; stopped stays.
    enum Phase: Sendable {
        case idle
        case following(Following)
        case leading(Leading)
        case stopped
    }

    let candidate: Candidate
    let timing: LeaseTiming
    let isObserver: Bool
    let hintsPrecedeRelease: Bool
    let queuesCandidates: Bool
    var random: any RandomNumberGenerator & Sendable

    var phase = Phase.idle
    /// The largest term seen granted to anybody: what is granted to us must be larger.
    package internal(set) var highestTerm: Int64
    /// Who leads as far as we know.
    package internal(set) var leader: Leader?
    /// A lease of ours whose release was never confirmed.
    var previousNonce: Nonce?
    var releases: [PendingRelease] = []
    /// Set by a stop: the instant at which `run()` returns at the latest once work has ended.
    var finishBy: ElectionInstant?
    package internal(set) var isStopping = false
    /// Takes no part until told to; see ``suspend(_:at:)``.
    package internal(set) var isSuspended = false
    var standDownUntil = ElectionInstant.distantPast
    /// How many bodies are running under a term of ours.
    package internal(set) var activeWork = 0
    private var lastOperation: UInt64 = 0
    private var reportedError: String?
    /// The term below which the store was reported to have fallen.
    private var regressedFrom: Int64?
    private var reportedTwins: Set<Nonce> = []

    package init(
        candidate: Candidate,
        timing: LeaseTiming,
        isObserver: Bool = false,
        hintsPrecedeRelease: Bool = false,
        queuesCandidates: Bool = false,
        highestTerm: Int64 = 0,
        random: any RandomNumberGenerator & Sendable
    ) {
        self.candidate = candidate
        self.timing = timing
        self.isObserver = isObserver
        self.hintsPrecedeRelease = hintsPrecedeRelease
        self.queuesCandidates = queuesCandidates
        self.highestTerm = highestTerm
        self.random = random
    }

    /// The term that this candidate leads in, by its own decisions; whether it *still* leads is for a clock to say.
    package var term: Int64? {
        if case .leading(let leading) = phase { leading.term } else { nil }
    }

    /// The lease of ``term`` as the store granted it last, else as it is asked for.
    package var lease: Duration {
        if case .leading(let leading) = phase { leading.lease } else { timing.leaseDuration }
    }

    /// The nonce with which this candidate waits for leadership; nil while it leads or takes no part.
    package var waitingNonce: Nonce? {
        if case .following(let following) = phase, !isStopping, !isObserver { following.nonce } else { nil }
    }

    /// Whether it would keep a lease that somebody hands to it: not while it is suspended or stands down.
    package func isEligible(at now: ElectionInstant) -> Bool { !isSuspended && now >= standDownUntil }

    /// Whether a term is about to end on purpose.
    package var isEnding: Bool {
        if case .leading(let leading) = phase { leading.ending != nil } else { false }
    }

    /// The deadline of ``term``.
    package var deadline: ElectionInstant {
        if case .leading(let leading) = phase { leading.deadline } else { .distantPast }
    }

    /// Whether this candidate neither leads nor holds, as far as the store has confirmed, any lease.
    package var hasGivenUp: Bool { term == nil && releases.isEmpty }

    /// Takes over what another service of this process has seen.
    package mutating func raiseHighestTerm(to term: Int64) { highestTerm = max(highestTerm, term) }

    package var isStopped: Bool {
        if case .stopped = phase { true } else { false }
    }

    /// When to call ``timerFired(at:nextBeat:)`` next; nil if only an event can change anything.
    package var wakeup: ElectionInstant? {
        var earliest = ElectionInstant.distantFuture
        switch phase {
        case .idle, .stopped: break
        case .following(let following):
            // Once stopping it asks for nothing any more: an instant to ask at that has passed must not wake it for ever.
            if !isStopping || following.operation != nil {
                earliest = following.wakeup(attemptTimeout: timing.attemptTimeout)
            }
        case .leading(let leading): earliest = leading.wakeup(timing: timing)
        }
        for release in releases { earliest = min(earliest, release.wakeup(attemptTimeout: timing.attemptTimeout)) }
        if let finishBy, !isStopped { earliest = min(earliest, finishBy) }
        return earliest == .distantFuture ? nil : earliest
    }

    // MARK: Events

    /// The service began to run.
    package mutating func start(at moment: Moment) -> [Action] {
        guard case .idle = phase else { return [] }
        phase = .following(newChain(at: moment.now))
        var actions = [Action.announce(.ready)]
        attempt(at: moment, &actions)
        return actions
    }

    /// The service is to stop: work ends first, then the lease is given back, then `run()` returns.
    package mutating func stop(at moment: Moment) -> [Action] {
        guard !isStopping else { return [] }
        isStopping = true
        var actions: [Action] = []
        switch phase {
        case .idle: break
        case .stopped: return []
        case .following(let following):
            finishBy = moment.now + timing.attemptTimeout
            // With a call under way its answer decides; without one, what was never confirmed is given back now.
            if following.operation == nil, following.isAmbiguous {
                giveBack(following.nonce, term: nil, at: moment.now)
            }
        case .leading: endLeadership(.stopped, at: moment, &actions)
        }
        settle(at: moment, &actions)
        return actions
    }

    /// Gives leadership up for at least the given time; work ends first.
    package mutating func resign(standingDownFor time: Duration, at moment: Moment) -> [Action] {
        var actions: [Action] = []
        standDownUntil = max(standDownUntil, moment.now + time)
        if case .leading = phase { endLeadership(.resigned, at: moment, &actions) }
        leaveQueue(at: moment.now)
        settle(at: moment, &actions)
        return actions
    }

    /// Gives leadership up and does not compete again before ``resume(at:)``; work ends first.
    package mutating func suspend(_ reason: ElectionReason, at moment: Moment) -> [Action] {
        var actions: [Action] = []
        isSuspended = true
        if case .leading = phase { endLeadership(reason, at: moment, &actions) }
        leaveQueue(at: moment.now)
        settle(at: moment, &actions)
        return actions
    }

    /// Competes again after ``suspend(_:at:)``.
    package mutating func resume(at moment: Moment) -> [Action] {
        var actions: [Action] = []
        guard isSuspended else { return actions }
        isSuspended = false
        attempt(at: moment, &actions)
        settle(at: moment, &actions)
        return actions
    }

    /// The store says that it is worth asking now.
    package mutating func hinted(at moment: Moment) -> [Action] {
        var actions: [Action] = []
        switch phase {
        case .idle, .stopped: break
        case .following(var following):
            following.hintRetry = hintsPrecedeRelease ? 0 : nil
            if following.operation != nil {
                following.wasHinted = true
                phase = .following(following)
            } else {
                phase = .following(following)
                attempt(at: moment, &actions)
            }
        case .leading(var leading):
            // A renewal is the read that a hint asks for; a store that hints all the time gets no more than twenty.
            leading.nextRenewal = min(leading.nextRenewal, max(moment.now, leading.lastSent + .milliseconds(50)))
            phase = .leading(leading)
            actions = timerFired(at: moment, nextBeat: leading.nextRenewal)
        }
        return actions
    }

    /// A body began or ended; while bodies of an older term run, this candidate does not campaign.
    package mutating func workChanged(by change: Int, at moment: Moment) -> [Action] {
        activeWork += change
        var actions: [Action] = []
        guard activeWork == 0 else { return actions }
        releaseAfterWork(at: moment.now)
        switch phase {
        case .idle, .stopped: break
        case .leading(let leading): if leading.ending != nil { endTerm(at: moment, &actions) }
        case .following(var following):
            following.nextAttempt = min(following.nextAttempt, moment.now)
            phase = .following(following)
            if following.operation == nil { attempt(at: moment, &actions) }
        }
        settle(at: moment, &actions)
        return actions
    }

    /// A read of the clock showed that the term has ended although nothing here said so.
    package mutating func claimEnded(_ reason: ElectionReason, at moment: Moment) -> [Action] {
        var actions: [Action] = []
        loseLeadership(reason, at: moment, &actions)
        settle(at: moment, &actions)
        return actions
    }

    /// The instant of ``wakeup`` has come.
    ///
    /// - Parameter nextBeat: when the next renewal after one sent now is due, for a lease like ``lease``; shared by
    ///   groups so that they batch.
    package mutating func timerFired(at moment: Moment, nextBeat: ElectionInstant) -> [Action] {
        var actions: [Action] = []
        switch phase {
        case .idle, .stopped: break
        case .following: followerTimer(at: moment, &actions)
        case .leading: leaderTimer(at: moment, nextBeat: nextBeat, &actions)
        }
        settle(at: moment, &actions)
        return actions
    }

    // MARK: Shared steps

    mutating func newOperation(at moment: Moment) -> Operation {
        lastOperation += 1
        return Operation(id: lastOperation, sent: moment)
    }

    mutating func newChain(at now: ElectionInstant) -> Following {
        Following(nonce: Nonce(using: &random), nextAttempt: now)
    }

    /// The wall-clock reading from which on a lease sent at `sent` is void.
    func wallLimit(sent: Moment, lease: Duration) -> Int64 {
        sent.wallNanoseconds
            + (timing.validity(ofLease: lease) + timing.wallSlack(ofLease: lease)).wholeNanoseconds
    }

    /// Sends what is due to be given back, and finishes a stop when nothing is left to wait for.
    mutating func settle(at moment: Moment, _ actions: inout [Action]) {
        sendReleases(at: moment, &actions)
        guard isStopping, !isStopped else { return }
        let isDone: Bool
        switch phase {
        case .idle: isDone = true
        case .following(let following): isDone = following.operation == nil && releases.isEmpty
        case .leading, .stopped: isDone = false
        }
        let isLate = finishBy.map { moment.now >= $0 } ?? false
        if isDone || isLate {
            if isLate, case .following(let following) = phase, following.operation != nil || following.isAmbiguous {
                giveBack(following.nonce, term: nil, at: moment.now)
                sendReleases(at: moment, &actions)
            }
            phase = .stopped
            actions.append(.finish)
        }
    }

    /// Reports an error once per change of cause.
    mutating func report(_ error: ElectionError, _ actions: inout [Action]) {
        // A store whose data went back answers well, each time with another term: it is one cause, until terms grow again.
        if error.code == .termRegression {
            guard regressedFrom != highestTerm else { return }
            regressedFrom = highestTerm
        }
        let cause = error.description
        guard cause != reportedError else { return }
        reportedError = cause
        actions.append(.announce(.error(error)))
    }

    mutating func storeAnswered() { reportedError = nil }

    /// Takes note of who leads.
    mutating func follow(_ record: LeaseRecord, reason: ElectionReason, _ actions: inout [Action]) {
        if record.term < highestTerm {
            report(
                ElectionError(
                    .termRegression,
                    """
                    the store shows term \(record.term) of "\(record.holder.id)" after term \(highestTerm) was seen: \
                    its data went back in time; restore it, and have fenced resources checked
                    """
                ),
                &actions
            )
        }
        highestTerm = max(highestTerm, record.term)
        let twin = record.holder.incarnation
        if record.holder.id == candidate.id, twin != candidate.incarnation, reportedTwins.count < 16,
            reportedTwins.insert(twin).inserted
        {
            actions.append(
                .announce(
                    .error(
                        ElectionError(
                            .duplicateCandidate,
                            "another process takes part as \"\(candidate.id)\"; give each process a name of its own"
                        )
                    )
                )
            )
        }
        setLeader(Leader(candidate: record.holder, term: record.term), reason: reason, &actions)
    }

    mutating func setLeader(_ new: Leader?, reason: ElectionReason, _ actions: inout [Action]) {
        guard new != leader else { return }
        leader = new
        actions.append(.announce(.leaderChanged(reason)))
    }
}
