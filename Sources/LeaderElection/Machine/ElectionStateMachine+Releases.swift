// SPDX-License-Identifier: MIT

extension ElectionStateMachine {
    /// A lease that is to be given back: asked again until the store confirms, or until it is over anyway.
    struct PendingRelease: Sendable {
        let nonce: Nonce
        let term: Int64?
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
                retryRelease(index, at: moment)
            } else if moment.now >= releases[index].nextAttempt {
                let operation = newOperation(at: moment)
                releases[index].operation = operation
                actions.append(.release(operation, nonce: releases[index].nonce, term: releases[index].term))
            }
        }
    }

    private mutating func retryRelease(_ index: Int, at moment: Moment) {
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
                if previousNonce == releases[index].nonce { previousNonce = nil }
                releases.remove(at: index)
                // Only now can the store show who comes next.
                attempt(at: moment, &actions)
            case .unknown: retryRelease(index, at: moment)
            }
        }
        settle(at: moment, &actions)
        return actions
    }
}
