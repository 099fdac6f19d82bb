// SPDX-License-Identifier: MIT

extension ElectionStateMachine {
    /// A lease that is to be given back: asked again until the store confirms, or until it is over anyway.
    struct PendingRelease: Sendable {
        let nonce: Nonce
        let term: Int64?
        /// Who is to have it; nil for whoever comes first.
        var heir: Heir?
        /// Work may still be running until then.
        var notBefore: ElectionInstant
        /// A renewal under way must be answered or abandoned first, so that it cannot arrive after the release.
        var renewal: (id: UInt64, abandoned: ElectionInstant)?
        var nextAttempt: ElectionInstant
        let giveUp: ElectionInstant
        var operation: Operation?
        var failures = 0

        func wakeup(attemptTimeout: Duration) -> ElectionInstant {
            min(giveUp, operation.map { $0.sent.now + attemptTimeout } ?? nextAttempt)
        }
    }

    /// How many leases may wait to be given back; more than one is already rare.
    private static var maximumReleases: Int { 8 }

    mutating func giveBack(
        _ nonce: Nonce,
        term: Int64?,
        to heir: Heir? = nil,
        after renewal: Operation? = nil,
        at instant: ElectionInstant
    ) {
        guard !releases.contains(where: { $0.nonce == nonce }), releases.count < Self.maximumReleases else { return }
        let barrier = renewal.map { (id: $0.id, abandoned: $0.sent.now + timing.attemptTimeout) }
        let start = max(instant, barrier?.abandoned ?? instant)
        releases.append(
            PendingRelease(
                nonce: nonce,
                term: term,
                heir: heir,
                notBefore: instant,
                renewal: barrier,
                nextAttempt: start,
                giveUp: start + timing.leaseDuration + timing.attemptTimeout
            )
        )
    }

    mutating func releaseAfterRenewal(_ id: UInt64, at now: ElectionInstant) {
        for index in releases.indices where releases[index].renewal?.id == id {
            releases[index].renewal = nil
            releases[index].nextAttempt = max(releases[index].notBefore, now)
        }
    }

    /// What was kept because work was still running need not be kept any longer.
    mutating func releaseAfterWork(at now: ElectionInstant) {
        for index in releases.indices where releases[index].notBefore > now {
            releases[index].notBefore = now
            releases[index].nextAttempt = max(now, releases[index].renewal?.abandoned ?? now)
        }
    }

    mutating func sendReleases(at moment: Moment, _ actions: inout [Action]) {
        releases.removeAll { moment.now >= $0.giveUp }
        for index in releases.indices {
            if let operation = releases[index].operation {
                guard moment.now >= operation.sent.now + timing.attemptTimeout else { continue }
                let error = Self.timeout(timing.attemptTimeout)
                retryRelease(index, after: error, at: moment, &actions)
            } else if moment.now >= releases[index].nextAttempt {
                let operation = newOperation(at: moment)
                releases[index].operation = operation
                let release = releases[index]
                if let heir = release.heir, let term = release.term {
                    actions.append(.transfer(operation, nonce: release.nonce, term: term, heir: heir))
                } else {
                    actions.append(.release(operation, nonce: release.nonce, term: release.term))
                }
            }
        }
    }

    /// - Parameter error: why what was tried is not known to have worked.
    private mutating func retryRelease(
        _ index: Int,
        after error: ElectionError,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        if releases[index].heir != nil {
            // It may have the lease, or may be gone. What is left of the lease is ours to give back, if anything is.
            releases[index].heir = nil
            actions.append(.announce(.transferEnded(error)))
        }
        releases[index].operation = nil
        releases[index].failures += 1
        let schedule = RetrySchedule(first: .milliseconds(50), cap: timing.leaseDuration / 10)
        releases[index].nextAttempt =
            moment.now + schedule.delay(afterFailures: releases[index].failures, using: &random)
    }

    /// The store answered a release.
    package mutating func releaseAnswered(
        _ answer: ReleaseAnswer,
        to operation: Operation,
        at moment: Moment
    ) -> [Action] {
        var actions: [Action] = []
        if let index = releases.firstIndex(where: { $0.operation?.id == operation.id }) {
            switch answer {
            case .released, .notHeld:
                releaseEnded(index)
                // Only now can the store show who comes next.
                attempt(at: moment, &actions)
            case .unknown(let error):
                retryRelease(index, after: .wrapping(error), at: moment, &actions)
            }
        }
        settle(at: moment, &actions)
        return actions
    }

    /// The store answered a transfer.
    package mutating func transferAnswered(
        _ answer: TransferAnswer,
        to operation: Operation,
        at moment: Moment
    ) -> [Action] {
        var actions: [Action] = []
        guard let index = releases.firstIndex(where: { $0.operation?.id == operation.id }) else { return actions }
        let release = releases[index]
        switch answer {
        case .transferred(let term):
            transferred(release, term: term, at: moment, &actions)
        case .notHeld:
            releaseEnded(index)
            let error = ElectionError(.transferRefused, "the lease had ended before it could be moved")
            actions.append(.announce(.transferEnded(error)))
            attempt(at: moment, &actions)
        case .refused(let reason):
            releases[index].heir = nil
            releases[index].operation = nil
            releases[index].nextAttempt = moment.now
            actions.append(.announce(.transferEnded(ElectionError(.transferRefused, reason))))
        case .unknown(let error): retryRelease(index, after: .wrapping(error), at: moment, &actions)
        }
        settle(at: moment, &actions)
        return actions
    }

    private mutating func transferred(
        _ release: PendingRelease,
        term: Int64?,
        at moment: Moment,
        _ actions: inout [Action]
    ) {
        if let index = releases.firstIndex(where: { $0.nonce == release.nonce }) { releaseEnded(index) }
        if let term, let heir = release.heir {
            highestTerm = max(highestTerm, term)
            setLeader(Leader(candidate: heir.candidate, term: term), reason: .elected, &actions)
        }
        actions.append(.announce(.transferEnded(nil)))
        // Until it asks it has no place in the queue: it could not be the next heir, and would stand behind all who come.
        if queuesCandidates { attempt(at: moment, &actions) }
    }

    private mutating func releaseEnded(_ index: Int) {
        if previousNonce == releases[index].nonce { previousNonce = nil }
        releases.remove(at: index)
    }
}
