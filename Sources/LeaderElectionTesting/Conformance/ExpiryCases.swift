// SPDX-License-Identifier: MIT

internal import LeaderElection

extension Trial {
    /// What a challenger has to hand in once the lease is over: nothing, unless it has to time the lease itself.
    func watch(_ provider: any ElectionProvider, _ grant: Grant) async throws -> LeaseVersion? {
        let record = try await refused(provider, request(grant.group), because: grant)
        return provider.guarantees.expiry == .observerTimed || record.isObserverTimed ? record.version : nil
    }

    /// Lets the lease run out, and takes it with another candidate.
    func grantAfterExpiry(_ provider: any ElectionProvider, of grant: Grant) async throws -> Grant {
        let observed = try await watch(provider, grant)
        try await pass(1.25, of: grant.leaseDuration)
        return try await self.grant(provider, request(grant.group, observed: observed), after: grant)
    }
}

extension ProviderConformance {
    static let expiryCases: [Case] = [
        Case("a lease that nobody renews is granted to another, with a larger term", requires: .expiry) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.pass(0.6, of: grant.leaseDuration)
            try await trial.refused(second, trial.request(grant.group), because: grant)
            let next = try await trial.grantAfterExpiry(second, of: grant)
            try await trial.isHeld(first, by: next)
        },
        Case("a renewal prolongs the lease", requires: .expiry) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            for _ in 0..<3 {
                try await trial.pass(0.6, of: grant.leaseDuration)
                try await trial.renew(first, grant)
                try await trial.refused(second, trial.request(grant.group), because: grant)
            }
        },
        Case("the same nonce again prolongs the lease, with its term unchanged", requires: .expiry) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let request = trial.request(try trial.group())
            let grant = try await trial.grant(first, request)
            for _ in 0..<3 {
                try await trial.pass(0.6, of: grant.leaseDuration)
                let again = try await trial.grant(first, request)
                try trial.expect(again.term == grant.term, "term \(grant.term) became \(again.term)")
                try await trial.refused(second, trial.request(grant.group), because: grant)
            }
        },
        Case("a renewal never revives a lease that has run out", requires: .expiry) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let observed = try await trial.watch(second, grant)
            try await trial.pass(1.25, of: grant.leaseDuration)
            // Where challengers time the lease, it is over only once one of them has taken it.
            if observed == nil {
                try await trial.renewalIsLost(first, trial.renewal(of: grant), "after the lease had run out")
                try await trial.isFree(second, grant.group, lastTerm: grant.term)
            }
            let request = trial.request(grant.group, observed: observed)
            let next = try await trial.grant(second, request, after: grant)
            try await trial.renewalIsLost(first, trial.renewal(of: grant), "after another took the lease over")
            try await trial.renew(second, next)
        },
        Case("a renewal that is lost does not prolong the lease", requires: .expiry) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let observed = try await trial.watch(second, grant)
            try await trial.pass(0.6, of: grant.leaseDuration)
            try await trial.renewalIsLost(second, trial.renewal(of: grant, nonce: Nonce()), "with another nonce")
            try await trial.renewalIsLost(first, trial.renewal(of: grant, term: grant.term + 1), "with another term")
            try await trial.refused(second, trial.request(grant.group), because: grant)
            try await trial.pass(0.65, of: grant.leaseDuration)
            _ = try await trial.grant(second, trial.request(grant.group, observed: observed), after: grant)
        },
        Case("a refused request does not prolong the lease", requires: .expiry) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let observed = try await trial.watch(second, grant)
            for _ in 0..<3 {
                try await trial.pass(0.2, of: grant.leaseDuration)
                try await trial.refused(second, trial.request(grant.group), because: grant)
                try await trial.isHeld(second, by: grant)
            }
            try await trial.pass(0.65, of: grant.leaseDuration)
            _ = try await trial.grant(second, trial.request(grant.group, observed: observed), after: grant)
        },
        Case("a candidate that comes back after its lease ran out gets a larger term", requires: .expiry) { trial in
            let provider = try await trial.provider()
            let grant = try await trial.grant(provider, try trial.group())
            let observed = try await trial.watch(provider, grant)
            try await trial.pass(1.25, of: grant.leaseDuration)
            let back = trial.request(
                grant.group,
                by: grant.candidate,
                previousNonce: grant.nonce,
                observed: observed
            )
            let next = try await trial.grant(provider, back, after: grant)
            try await trial.renewalIsLost(provider, trial.renewal(of: grant), "of the earlier term")
            try await trial.renew(provider, next)
        },
        Case("the same nonce after its lease ran out gets a larger term", requires: .expiry) { trial in
            let provider = try await trial.provider()
            let grant = try await trial.grant(provider, try trial.group())
            guard try await trial.watch(provider, grant) == nil else {
                // The store cannot know that the time is up, so that the nonce still holds the lease.
                let again = try await trial.grant(
                    provider,
                    trial.request(grant.group, by: grant.candidate, nonce: grant.nonce)
                )
                return try trial.expect(again.term == grant.term, "term \(grant.term) became \(again.term)")
            }
            try await trial.pass(1.25, of: grant.leaseDuration)
            let again = trial.request(grant.group, by: grant.candidate, nonce: grant.nonce)
            let next = try await trial.grant(provider, again, after: grant)
            try await trial.renewalIsLost(provider, trial.renewal(of: grant), "of the earlier term")
            try await trial.renew(provider, next)
        },
        Case("a release by the holder before changes nothing after a takeover", requires: .expiry) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let next = try await trial.grantAfterExpiry(second, of: grant)
            for term in [grant.term, next.term, nil] {
                try await trial.releaseIsRefused(
                    first,
                    trial.releaseRequest(grant, term: term),
                    "by the holder before"
                )
            }
            try await trial.isHeld(first, by: next)
            try await trial.renew(second, next)
        },
    ]
}
