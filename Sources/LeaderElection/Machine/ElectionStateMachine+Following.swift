// SPDX-License-Identifier: MIT

extension ElectionStateMachine {
    /// Not leading: waiting for a push, for the holder's time to be up, or for the store to come back.
    struct Following: Sendable {
        /// The nonce of the attempts since leadership was last lost; repeated until one is answered.
        let nonce: Nonce
        var nextAttempt: ElectionInstant
        var operation: Operation?
        var failures = 0
        /// The nonce may hold the lease, because an attempt's outcome stayed unknown, or has a place in the queue.
        var isAmbiguous = false
        /// A hint came while a call was under way: its answer may be older than the hint.
        var wasHinted = false
        /// After a hint that may precede the release: how often we asked again.
        var hintRetry: Int?
        /// The version of a lease that nobody but us can time, and since when we see it unchanged.
        var watched: (version: LeaseVersion, since: ElectionInstant, lease: Duration)?
        /// While the store lets nobody lead: the reason that was told, and how long that is known to last.
        var deferral: (reason: String?, until: ElectionInstant)?

        func wakeup(attemptTimeout: Duration) -> ElectionInstant {
            operation.map { $0.sent.now + attemptTimeout } ?? nextAttempt
        }
    }

    /// How often to ask again after a hint that may have come before the lease was free: at 1, 2, 4 … 64 ms.
    private static var hintRetries: Int { 7 }

    /// Asks the store: for the lease if this candidate may campaign, else only for who holds it.
    mutating func attempt(at moment: Moment, _ actions: inout [Action]) {
        guard case .following(var following) = phase, following.operation == nil, !isStopping else { return }
        let operation = newOperation(at: moment)
        following.operation = operation
        following.wasHinted = false
        if mayCampaign(at: moment.now) {
            let observed = following.watched.flatMap { watched in
                moment.now >= watched.since + timing.observation(ofLease: watched.lease) ? watched.version : nil
            }
            actions.append(
                .acquire(operation, nonce: following.nonce, previous: previousNonce, observed: observed)
            )
        } else {
            actions.append(.readHolder(operation))
        }
        phase = .following(following)
    }

    private func mayCampaign(at now: ElectionInstant) -> Bool {
        !isObserver && !isStopping && !isSuspended && activeWork == 0 && now >= standDownUntil
    }

    mutating func followerTimer(at moment: Moment, _ actions: inout [Action]) {
        guard case .following(let following) = phase else { return }
        if let operation = following.operation {
            guard moment.now >= operation.sent.now + timing.attemptTimeout else { return }
            attemptFailed(Self.timeout(timing.attemptTimeout), isAmbiguous: true, at: moment, &actions)
        } else if moment.now >= following.nextAttempt {
            attempt(at: moment, &actions)
        }
    }

    static func timeout(_ timeout: Duration) -> ElectionError {
        ElectionError(.timedOut, "the store did not answer within \(timeout.text()); its state is unknown")
    }

    /// The store answered an acquisition; `operation` tells whether it is the one that we are waiting for.
    package mutating func acquireAnswered(
        _ answer: AcquireAnswer,
        to operation: Operation,
        nonce: Nonce,
        at moment: Moment,
        nextBeat: ElectionInstant
    ) -> [Action] {
        var actions: [Action] = []
        if case .following(var following) = phase, following.operation?.id == operation.id {
            following.operation = nil
            phase = .following(following)
            switch answer {
            case .granted(let term, let lease):
                granted(term: term, lease: lease, sent: operation.sent, at: moment, nextBeat: nextBeat, &actions)
            case .held(let record): held(record, isCampaign: true, at: moment, &actions)
            case .deferred(let delay, let reason):
                deferred(for: max(delay, .milliseconds(1)), reason, at: moment, &actions)
            case .unknown(let error):
                attemptFailed(.wrapping(error), isAmbiguous: true, at: moment, &actions)
            }
        } else if case .granted(let term, _) = answer, nonce != currentNonce {
            // Too late: nobody waits for this lease any more, so it must not stand in others' way. While the nonce is
            // still in use it is left alone: a later attempt of the same chain finds it and takes it as its own.
            giveBack(nonce, term: term, at: moment.now)
        }
        settle(at: moment, &actions)
        return actions
    }

    private var currentNonce: Nonce? {
        switch phase {
        case .following(let following): following.nonce
        case .leading(let leading): leading.nonce
        case .idle, .stopped: nil
        }
    }

    /// The store said who holds the lease.
    package mutating func holderAnswered(
        _ answer: HolderAnswer,
        to operation: Operation,
        at moment: Moment
    ) -> [Action] {
        var actions: [Action] = []
        if case .following(var following) = phase, following.operation?.id == operation.id {
            following.operation = nil
            phase = .following(following)
            switch answer {
            case .held(let record): held(record, isCampaign: false, at: moment, &actions)
            case .free:
                storeAnswered()
                setLeader(nil, reason: .vacant, &actions)
                waitForNextAttempt(until: .distantFuture, at: moment, &actions)
            case .unknown(let error):
                attemptFailed(.wrapping(error), isAmbiguous: false, at: moment, &actions)
            }
            // What kept us from campaigning when we asked may be over by now.
            if case .unknown = answer {} else if mayCampaign(at: moment.now) { attempt(at: moment, &actions) }
        }
        settle(at: moment, &actions)
        return actions
    }

    private mutating func granted(
        term: Int64,
        lease: Duration,
        sent: Moment,
        at moment: Moment,
        nextBeat: ElectionInstant,
        _ actions: inout [Action]
    ) {
        guard case .following(let following) = phase else { return }
        storeAnswered()
        let deadline = sent.now + timing.validity(ofLease: lease)
        if term <= highestTerm {
            giveBack(following.nonce, term: term, at: moment.now)
            // Giving it back is a hint to everybody, who then ask and give back in turn: only time ends that storm.
            let pause = timing.leaseDuration * Double.random(in: 0.5...1, using: &random)
            standDownUntil = max(standDownUntil, moment.now + pause)
            let error = ElectionError(
                .termRegression,
                """
                the store granted term \(term) after term \(highestTerm) was seen: its data went back in time; \
                the grant was given back; restore the store's data, or have every fenced resource checked
                """
            )
            startAgain(at: moment, after: error, &actions)
        } else if !mayCampaign(at: moment.now) {
            giveBack(following.nonce, term: term, at: moment.now)
            startAgain(at: moment, after: nil, &actions)
        } else if moment.now >= deadline {
            highestTerm = term
            giveBack(following.nonce, term: term, at: moment.now)
            startAgain(at: moment, after: Self.timeout(timing.attemptTimeout), &actions)
        } else {
            highestTerm = term
            previousNonce = nil
            phase = .leading(
                Leading(
                    nonce: following.nonce,
                    term: term,
                    lease: lease,
                    deadline: deadline,
                    nextRenewal: min(nextBeat, moment.now + timing.renewInterval(ofLease: lease)),
                    lastSent: sent.now
                )
            )
            actions.append(.lead(term: term, until: deadline, wallLimit: wallLimit(sent: sent, lease: lease)))
            actions.append(.announce(.acquired(term: term, until: deadline)))
            setLeader(Leader(candidate: candidate, term: term), reason: .elected, &actions)
        }
    }

    /// - Parameter isCampaign: we asked for the lease, not only for who holds it.
    private mutating func held(
        _ record: LeaseRecord,
        isCampaign: Bool,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        guard case .following(var following) = phase else { return }
        storeAnswered()
        following.failures = 0
        following.deferral = nil
        // A lease of ours that is not over yet has a term that we know.
        if record.holder.incarnation == candidate.incarnation, !isCampaign, record.term > highestTerm {
            phase = .following(following)
            inherit(record.term, at: moment, &actions)
            return
        }
        // A new term answers the hint; the old one may only not be gone yet.
        if leader?.term != record.term { following.hintRetry = nil }
        var next = ElectionInstant.distantFuture
        if record.isObserverTimed {
            if following.watched?.version != record.version {
                following.watched = (record.version, moment.now - record.unchangedFor, record.leaseDuration)
            }
            let since = following.watched?.since ?? moment.now
            let end = since + timing.observation(ofLease: record.leaseDuration)
            // Still held after the takeover was asked for: look again soon, but do not spin.
            next = max(end, moment.now + .milliseconds(100))
        } else {
            following.watched = nil
            if let remaining = record.remaining {
                next = moment.now + max(.zero, remaining * (1 + 2 * timing.drift)) + .milliseconds(1)
            }
        }
        phase = .following(following)
        follow(record, reason: .elected, &actions)
        if queuesCandidates, isCampaign {
            following.isAmbiguous = true
            phase = .following(following)
            if !mayCampaign(at: moment.now) { leaveQueue(at: moment.now) }
        }
        waitForNextAttempt(until: next, at: moment, &actions)
    }

    /// Nobody may lead for now.
    ///
    /// Told when it takes longer than an answer may, in all, and again only if another reason prolongs it by as much: a
    /// store that asks for patience again and again says no more with each time.
    private mutating func deferred(
        for delay: Duration,
        _ reason: String,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        guard case .following(var following) = phase else { return }
        storeAnswered()
        let (told, known) = following.deferral ?? (nil, moment.now)
        let until = moment.now + delay
        if reason != told, until - known >= timing.attemptTimeout {
            following.deferral = (reason, until)
            actions.append(.announce(.deferred(reason, retryAt: until)))
        } else {
            following.deferral = (told, known)
        }
        phase = .following(following)
        waitForNextAttempt(until: until, at: moment, &actions)
    }

    /// The lease was moved to us: takes it, or gives it back if this is not the time.
    ///
    /// Its term is not noted before it is granted: it has to be larger than every one seen.
    private mutating func inherit(_ term: Int64, at moment: Moment, _ actions: inout [Action]) {
        guard case .following(let following) = phase else { return }
        if mayCampaign(at: moment.now) {
            waitForNextAttempt(until: moment.now + .milliseconds(1), at: moment, &actions)
        } else {
            highestTerm = term
            giveBack(following.nonce, term: nil, at: moment.now)
            var chain = newChain(at: moment.now)
            chain.nextAttempt = max(
                moment.now + timing.attemptTimeout,
                min(standDownUntil, moment.now + timing.retryInterval)
            )
            phase = .following(chain)
        }
    }

    /// Gives up the place in the store's queue: who does not compete must not hold up those behind.
    mutating func leaveQueue(at now: ElectionInstant) {
        guard queuesCandidates, case .following(let following) = phase, following.operation == nil,
            following.isAmbiguous
        else { return }
        giveBack(following.nonce, term: nil, at: now)
        var chain = newChain(at: now)
        chain.nextAttempt = min(following.nextAttempt, max(now, standDownUntil))
        phase = .following(chain)
    }

    private mutating func attemptFailed(
        _ error: ElectionError,
        isAmbiguous: Bool,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        guard case .following(var following) = phase else { return }
        following.operation = nil
        following.failures += 1
        following.isAmbiguous = following.isAmbiguous || isAmbiguous
        let schedule = RetrySchedule(first: .milliseconds(100), cap: timing.leaseDuration / 2)
        following.nextAttempt =
            moment.now + schedule.delay(afterFailures: following.failures, using: &random)
        phase = .following(following)
        report(error, &actions)
        if isStopping, following.isAmbiguous { giveBack(following.nonce, term: nil, at: moment.now) }
    }

    /// Sleeps until the earliest of: the given instant, the next look after a hint, the safety poll.
    private mutating func waitForNextAttempt(
        until instant: ElectionInstant,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        guard case .following(var following) = phase else { return }
        let poll = moment.now + timing.retryInterval * Double.random(in: 0.8...1.2, using: &random)
        following.nextAttempt = min(instant, poll)
        if !mayCampaign(at: moment.now), standDownUntil > moment.now {
            following.nextAttempt = min(following.nextAttempt, standDownUntil)
        }
        if let retry = following.hintRetry {
            following.nextAttempt = min(following.nextAttempt, moment.now + .milliseconds(1 << retry))
            following.hintRetry = retry + 1 < Self.hintRetries ? retry + 1 : nil
        }
        let askAgain = following.wasHinted
        phase = .following(following)
        if askAgain { attempt(at: moment, &actions) }
    }

    /// Follows on with a fresh nonce, at once or, after an error, with back-off.
    mutating func startAgain(at moment: Moment, after error: ElectionError?, _ actions: inout [Action]) {
        var chain = newChain(at: moment.now)
        if case .following(let following) = phase { chain.failures = following.failures }
        phase = .following(chain)
        if let error {
            attemptFailed(error, isAmbiguous: false, at: moment, &actions)
        } else {
            attempt(at: moment, &actions)
        }
    }
}
