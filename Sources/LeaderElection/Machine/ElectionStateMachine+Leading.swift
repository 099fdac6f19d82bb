// SPDX-License-Identifier: MIT

extension ElectionStateMachine {
    /// Leading in one term until its deadline.
    struct Leading: Sendable {
        let nonce: Nonce
        let term: Int64
        /// As the store granted it last.
        var lease: Duration
        var deadline: ElectionInstant
        var nextRenewal: ElectionInstant
        var lastSent: ElectionInstant
        var operation: Operation?
        var failures = 0
        /// Set while work is being waited for: why the term ends, and how long the wait may take.
        var ending: (reason: ElectionReason, by: ElectionInstant)?
        /// Who gets the lease once work has ended; nil if it goes to whoever comes first.
        var heir: Heir?

        func wakeup(timing: LeaseTiming) -> ElectionInstant {
            var earliest = min(
                deadline,
                operation.map { $0.sent.now + timing.renewTimeout(ofLease: lease) } ?? nextRenewal
            )
            if let ending {
                earliest = min(earliest, ending.by)
            } else if timing.gracePeriod > .zero {
                earliest = min(earliest, deadline - timing.gracePeriod)
            }
            return earliest
        }
    }

    mutating func leaderTimer(at moment: Moment, nextBeat: ElectionInstant, _ actions: inout [Action]) {
        guard case .leading(let leading) = phase else { return }
        if moment.now >= leading.deadline {
            loseLeadership(.expired, at: moment, &actions)
            return
        }
        if let ending = leading.ending, moment.now >= ending.by {
            workOverran(leading, at: moment, &actions)
            return
        }
        if let operation = leading.operation {
            let timeout = timing.renewTimeout(ofLease: leading.lease)
            if moment.now >= operation.sent.now + timeout {
                renewalFailed(Self.timeout(timeout), at: moment, &actions)
            }
        } else if moment.now >= leading.nextRenewal {
            let operation = newOperation(at: moment)
            var renewing = leading
            renewing.operation = operation
            renewing.lastSent = moment.now
            renewing.nextRenewal = min(nextBeat, moment.now + timing.renewInterval(ofLease: leading.lease))
            phase = .leading(renewing)
            let timeout = timing.renewTimeout(ofLease: leading.lease)
            actions.append(.renew(operation, nonce: leading.nonce, term: leading.term, within: timeout))
        }
        if timing.gracePeriod > .zero, leading.ending == nil, moment.now >= leading.deadline - timing.gracePeriod {
            endLeadership(.expired, at: moment, &actions)
        }
    }

    /// The store answered a renewal; an answer to any but the operation under way changes nothing.
    package mutating func renewAnswered(
        _ answer: RenewAnswer,
        to operation: Operation,
        at moment: Moment,
        nextBeat: ElectionInstant
    ) -> [Action] {
        var actions: [Action] = []
        releaseAfterRenewal(operation.id, at: moment.now)
        if case .leading(var leading) = phase, leading.operation?.id == operation.id {
            leading.operation = nil
            phase = .leading(leading)
            switch answer {
            case .renewed(let lease):
                renewed(lease: lease, sent: operation.sent, at: moment, nextBeat: nextBeat, &actions)
            case .lost(let record):
                storeAnswered()
                loseLeadership(.superseded, at: moment, &actions)
                if let record { follow(record, reason: .elected, &actions) }
            case .unknown(let error): renewalFailed(.wrapping(error), at: moment, &actions)
            }
        }
        settle(at: moment, &actions)
        return actions
    }

    private mutating func renewed(
        lease: Duration,
        sent: Moment,
        at moment: Moment,
        nextBeat: ElectionInstant,
        _ actions: inout [Action]
    ) {
        guard case .leading(var leading) = phase else { return }
        storeAnswered()
        guard moment.now < leading.deadline else {
            loseLeadership(.expired, at: moment, &actions)
            return
        }
        leading.deadline = max(leading.deadline, sent.now + timing.validity(ofLease: lease))
        leading.lease = lease
        let next = min(nextBeat, moment.now + timing.renewInterval(ofLease: lease))
        leading.nextRenewal = leading.nextRenewal <= moment.now ? next : min(leading.nextRenewal, next)
        let hadFailed = leading.failures > 0
        leading.failures = 0
        phase = .leading(leading)
        actions.append(
            .extend(term: leading.term, until: leading.deadline, wallLimit: wallLimit(sent: sent, lease: lease))
        )
        actions.append(.announce(.renewed(term: leading.term, until: leading.deadline)))
        if hadFailed { actions.append(.announce(.recovered(term: leading.term, until: leading.deadline))) }
    }

    /// Nothing is known: the deadline stands, and we try again until it comes.
    private mutating func renewalFailed(_ error: ElectionError, at moment: Moment, _ actions: inout [Action]) {
        guard case .leading(var leading) = phase else { return }
        leading.operation = nil
        leading.failures += 1
        let schedule = RetrySchedule(first: .milliseconds(50), cap: min(leading.lease, timing.leaseDuration) / 10)
        leading.nextRenewal = moment.now + schedule.delay(afterFailures: leading.failures, using: &random)
        phase = .leading(leading)
        actions.append(.announce(.renewalFailed(term: leading.term, error)))
        report(error, &actions)
        if leading.failures == 1 {
            actions.append(.announce(.jeopardy(term: leading.term, until: leading.deadline)))
        }
    }

    /// Begins an orderly end: work is cancelled and waited for while the lease is still renewed.
    mutating func endLeadership(_ reason: ElectionReason, at moment: Moment, _ actions: inout [Action]) {
        guard case .leading(var leading) = phase, leading.ending == nil else { return }
        leading.ending = (reason, moment.now + timing.shutdownTimeout)
        phase = .leading(leading)
        actions.append(.cancelWork(term: leading.term))
        if activeWork == 0 { endTerm(at: moment, &actions) }
    }

    /// As ``resign(standingDownFor:at:)``, but the lease goes to `heir` and to nobody else.
    package mutating func transfer(to heir: Heir, at moment: Moment) -> [Action] {
        var actions: [Action] = []
        guard case .leading(var leading) = phase, leading.ending == nil else { return actions }
        leading.heir = heir
        phase = .leading(leading)
        endLeadership(.transferred, at: moment, &actions)
        settle(at: moment, &actions)
        return actions
    }

    /// Gives leadership up at once, without waiting for work, and stands down for at least the given time.
    ///
    /// If work is still running the lease is kept until that has ended, or for one lease.
    package mutating func evict(standingDownFor time: Duration, at moment: Moment) -> [Action] {
        var actions: [Action] = []
        standDownUntil = max(standDownUntil, moment.now + time)
        loseLeadership(.evicted, at: moment, &actions)
        settle(at: moment, &actions)
        return actions
    }

    /// All work has ended: stop leading, then tell the store.
    mutating func endTerm(at moment: Moment, _ actions: inout [Action]) {
        guard case .leading(let leading) = phase, let ending = leading.ending else { return }
        leaveLeadership(leading, ending.reason, at: moment, &actions)
        giveBack(leading.nonce, term: leading.term, to: leading.heir, after: leading.operation, at: moment.now)
        if leading.heir != nil, releases.last?.nonce != leading.nonce {
            let error = ElectionError(.transferRefused, "too many leases are still to be given back")
            actions.append(.announce(.transferEnded(error)))
        }
        followOn(from: leading, nextAttempt: moment.now + timing.attemptTimeout, at: moment, &actions)
    }

    /// Work did not end in time: stops leading, but keeps others off until the lease has run out.
    private mutating func workOverran(_ leading: Leading, at moment: Moment, _ actions: inout [Action]) {
        guard let ending = leading.ending else { return }
        let error = ElectionError(
            .workOverran,
            """
            work of term \(leading.term) goes on although it was cancelled \(timing.shutdownTimeout.text()) ago; the lease \
            is kept to its end to hold others off; let the work watch Task.isCancelled, or raise shutdownTimeout
            """
        )
        actions.append(.announce(.error(error)))
        if leading.heir != nil { actions.append(.announce(.transferEnded(error))) }
        leaveLeadership(leading, ending.reason, at: moment, &actions)
        giveBack(leading.nonce, term: leading.term, at: leading.deadline)
        followOn(from: leading, nextAttempt: leading.deadline, at: moment, &actions)
        if isStopping { finishBy = moment.now }
    }

    /// The term has ended without our doing.
    mutating func loseLeadership(_ reason: ElectionReason, at moment: Moment, _ actions: inout [Action]) {
        guard case .leading(let leading) = phase else { return }
        leaveLeadership(leading, reason, at: moment, &actions)
        if leading.heir != nil {
            let error = ElectionError(.transferRefused, "the term ended (\(reason)) before its work had")
            actions.append(.announce(.transferEnded(error)))
        }
        if activeWork > 0 {
            actions.append(
                .announce(
                    .error(
                        ElectionError(
                            .workOverran,
                            """
                            work of term \(leading.term) is still running although the term has ended (\(reason)); it \
                            was cancelled, and only the term as a fencing token keeps what it writes out
                            """
                        )
                    )
                )
            )
        }
        if reason != .superseded, isStopping || activeWork > 0 || reason == .evicted {
            // The store may not know yet. While work goes on, others are not invited before it ends, or for one lease.
            let end = activeWork > 0 ? moment.now + timing.leaseDuration : moment.now
            giveBack(leading.nonce, term: leading.term, after: leading.operation, at: end)
        }
        followOn(from: leading, nextAttempt: moment.now, at: moment, &actions)
    }

    private mutating func leaveLeadership(
        _ leading: Leading,
        _ reason: ElectionReason,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        actions.append(.relinquish(term: leading.term))
        actions.append(.cancelWork(term: leading.term))
        actions.append(.announce(.lost(term: leading.term, reason)))
        setLeader(nil, reason: reason, &actions)
    }

    private mutating func followOn(
        from leading: Leading,
        nextAttempt: ElectionInstant,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        previousNonce = leading.nonce
        phase = .following(newChain(at: nextAttempt))
        if isStopping {
            finishBy = moment.now + timing.attemptTimeout
        } else if nextAttempt <= moment.now {
            attempt(at: moment, &actions)
        }
    }
}
