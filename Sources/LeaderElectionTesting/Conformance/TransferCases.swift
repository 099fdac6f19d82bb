// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let transferCases: [Case] = [
        Case("a lease that is transferred is the heir's, in a larger term", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.renew(first, grant)
            let request = try await trial.waitingRequest(second, because: grant)
            let term = try await trial.handDown(first, grant, to: request)
            let next = try await trial.inherit(second, request, after: grant, term: term)
            for provider in [first, second] { try await trial.isHeld(provider, by: next) }
            try await trial.renew(second, next)
            _ = try await trial.inherit(second, request, after: grant, term: next.term)
            try await trial.release(second, next)
            _ = try await trial.grant(first, trial.request(grant.group), after: next)
        },
        Case("the lease of the one who transferred it is over at once", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let grant = try await trial.grant(first, try trial.group())
            let request = try await trial.waitingRequest(second, because: grant)
            let term = try await trial.handDown(first, grant, to: request)
            func isOver(_ when: String, nextTerm: Int64) async throws {
                for term in [grant.term, nextTerm] {
                    let renewal = trial.renewal(of: grant, term: term)
                    try await trial.renewalIsLost(first, renewal, "by the holder before, \(when)")
                }
                for term in [grant.term, nextTerm, nil] {
                    let release = trial.releaseRequest(grant, term: term)
                    try await trial.releaseIsRefused(first, release, "by the holder before, \(when)")
                }
                let again = trial.transferRequest(grant, to: trial.request(grant.group))
                try await trial.isNotHeld(first, again, "by the holder before, \(when)")
            }
            try await isOver("while the heir has not asked", nextTerm: term ?? grant.term + 1)
            let next = try await trial.inherit(second, request, after: grant, term: term)
            try await isOver("while the heir holds it", nextTerm: next.term)
            try await trial.renew(second, next)
        },
        Case("until the heir asks, nobody else is granted the lease", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let third = try await trial.provider()
            let grant = try await trial.grant(first, try trial.group())
            let record = try await trial.refused(third, trial.request(grant.group), because: grant)
            let request = try await trial.waitingRequest(second, because: grant)
            let term = try await trial.handDown(first, grant, to: request)
            for provider in [first, second, third] as [any ElectionProvider] {
                let back = trial.request(
                    grant.group,
                    by: grant.candidate,
                    previousNonce: grant.nonce,
                    observed: record.version
                )
                try await trial.isKept(provider, from: back)
                try await trial.isKept(provider, from: trial.request(grant.group, by: request.candidate))
                for nonce in trial.lookalikes(of: request.nonce) {
                    try await trial.isKept(provider, from: trial.request(grant.group, nonce: nonce))
                }
            }
            let next = try await trial.inherit(second, request, after: grant, term: term)
            try await trial.renew(second, next)
        },
        Case("a transfer by somebody who does not hold the lease changes nothing", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let grant = try await trial.grant(first, try trial.group())
            let request = try await trial.waitingRequest(second, because: grant)
            for nonce in trial.lookalikes(of: grant.nonce) + [request.nonce] {
                let foreign = trial.transferRequest(grant, to: request, nonce: nonce)
                try await trial.isNotHeld(second, foreign, "with nonce \(nonce) of a lease of \(grant.nonce)")
            }
            for term in [grant.term - 1, grant.term + 1, 0, .max] {
                let stale = trial.transferRequest(grant, to: request, term: term)
                try await trial.isNotHeld(first, stale, "with term \(term) of a lease of term \(grant.term)")
            }
            try await trial.refused(second, request, because: grant, isToStay: true)
            try await trial.isHeld(second, by: grant)
            try await trial.renew(first, grant)
            let term = try await trial.handDown(first, grant, to: request)
            _ = try await trial.inherit(second, request, after: grant, term: term)
        },
        Case("a lease that is free cannot be transferred", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let group = try trial.group()
            let never = Trial.Grant(
                group: group,
                candidate: trial.candidate(),
                nonce: Nonce(),
                term: 1,
                leaseDuration: trial.fixture.leaseDuration
            )
            let heir = trial.request(group)
            try await trial.isNotHeld(first, trial.transferRequest(never, to: heir), "of a group that was never led")
            try await trial.isFree(second, group)
            let grant = try await trial.grant(first, group)
            try await trial.release(first, grant)
            try await trial.isNotHeld(first, trial.transferRequest(grant, to: heir), "of a lease that was released")
            try await trial.isFree(second, group, lastTerm: grant.term)
            _ = try await trial.grant(second, heir, after: grant)
        },
        Case("a lease that has run out cannot be transferred", requires: [.transfer, .expiry]) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let grant = try await trial.grant(first, try trial.group())
            let observed = try await trial.watch(second, grant)
            let heir = trial.request(grant.group, by: trial.candidate("heir"))
            try await trial.pass(1.25, of: grant.leaseDuration)
            // Where challengers time the lease, it is over only once one of them has taken it.
            if observed == nil {
                try await trial.isNotHeld(first, trial.transferRequest(grant, to: heir), "of a lease that had run out")
                try await trial.isFree(second, grant.group, lastTerm: grant.term)
            }
            let request = trial.request(grant.group, observed: observed)
            let next = try await trial.grant(second, request, after: grant)
            try await trial.isNotHeld(first, trial.transferRequest(grant, to: heir), "after a takeover by another")
            try await trial.isHeld(first, by: next)
            try await trial.renew(second, next)
        },
        Case("an heir that never asks holds the lease up no longer than one", requires: [.transfer, .expiry]) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let grant = try await trial.grant(first, try trial.group())
            let request = try await trial.waitingRequest(second, because: grant)
            let term = try await trial.handDown(first, grant, to: request)
            guard case .held(let record) = try await trial.holder(first, of: grant.group) else {
                throw trial.failure("a lease that was just transferred was read as free")
            }
            // An heir that waits in a queue and is gone leaves it.
            try await trial.leaveQueue(second, request)
            try await trial.pass(1.25, of: grant.leaseDuration)
            let isTimedHere = second.guarantees.expiry == .observerTimed || record.isObserverTimed
            let other = trial.request(grant.group, observed: isTimedHere ? record.version : nil)
            let next = try await trial.grant(first, other, after: grant)
            if let term { try trial.expect(next.term > term, "term \(next.term) came after \(term)") }
            try await trial.isKept(second, from: request)
            try await trial.renew(first, next)
        },
        Case("an heir's lease lasts from the transfer on", requires: [.transfer, .expiry]) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let grant = try await trial.grant(first, try trial.group())
            let request = try await trial.waitingRequest(second, because: grant)
            try await trial.pass(0.6, of: grant.leaseDuration)
            let term = try await trial.handDown(first, grant, to: request)
            try await trial.pass(0.6, of: grant.leaseDuration)
            try await trial.isKept(first, from: trial.request(grant.group))
            let next = try await trial.inherit(second, request, after: grant, term: term)
            try await trial.pass(0.6, of: grant.leaseDuration)
            try await trial.isKept(first, from: trial.request(grant.group))
            try await trial.renew(second, next)
        },
        Case("terms grow from transfer to transfer", requires: .transfer) { trial in
            let providers = [
                try await trial.transferring(), try await trial.transferring(), try await trial.transferring(),
            ]
            var grant = try await trial.grant(providers[0], try trial.group())
            for round in 0..<9 {
                let (holder, heir) = (providers[round % 3], providers[(round + 1) % 3])
                let request = try await trial.waitingRequest(heir, because: grant)
                let term = try await trial.handDown(holder, grant, to: request)
                grant = try await trial.inherit(heir, request, after: grant, term: term)
                if round % 2 == 0 { try await trial.renew(heir, grant) }
            }
            try await trial.release(providers[0], grant)
            _ = try await trial.grant(providers[1], trial.request(grant.group), after: grant)
        },
        Case("a lease may go to another candidate of the same provider", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let request = try await trial.waitingRequest(first, because: grant)
            let term = try await trial.handDown(first, grant, to: request)
            try await trial.isKept(second, from: trial.request(grant.group))
            let next = try await trial.inherit(first, request, after: grant, term: term)
            try await trial.renewalIsLost(first, trial.renewal(of: grant), "by the holder before")
            try await trial.isHeld(second, by: next)
            try await trial.renew(first, next)
        },
        Case("a lease that is transferred to its holder is in a new term, or stays as it is", requires: .transfer) {
            trial in
            let (first, second) = (try await trial.transferring(), try await trial.provider())
            let request = trial.request(try trial.group())
            let grant = try await trial.grant(first, request)
            switch try await trial.transfer(first, trial.transferRequest(grant, to: request)) {
            case .transferred(let term):
                try await trial.renewalIsLost(first, trial.renewal(of: grant), "in the term before")
                let next = try await trial.inherit(first, request, after: grant, term: term)
                try await trial.isHeld(second, by: next)
                try await trial.renew(first, next)
            case .refused(let reason):
                try trial.expect(!reason.isEmpty, "no reason was given for a refusal")
                try await trial.renew(first, grant)
                try await trial.isHeld(second, by: grant)
            case let answer: throw trial.failure("a lease that is held was transferred to its holder: \(answer)")
            }
        },
        Case("an heir that has never asked is given the lease, or nothing is changed", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let request = trial.request(grant.group, by: trial.candidate("heir"))
            switch try await trial.transfer(first, trial.transferRequest(grant, to: request)) {
            case .transferred(let term):
                try await trial.isKept(second, from: trial.request(grant.group))
                let next = try await trial.inherit(second, request, after: grant, term: term)
                try await trial.renew(second, next)
            case .refused(let reason):
                try trial.expect(!reason.isEmpty, "no reason was given for a refusal")
                try await trial.refused(second, request, because: grant)
                try await trial.renew(first, grant)
            case let answer: throw trial.failure("a lease that is held was transferred to a stranger: \(answer)")
            }
        },
    ]
}
