// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let takeoverCases: [Case] = [
        Case("a candidate's own stale lease is replaced at once, with a larger term") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let back = trial.request(grant.group, by: grant.candidate, previousNonce: grant.nonce)
            let next = try await trial.grant(first, back, after: grant)
            try await trial.renewalIsLost(first, trial.renewal(of: grant), "of the lease that was replaced")
            try await trial.releaseIsRefused(
                first,
                trial.releaseRequest(grant, term: grant.term),
                "of the lease that was replaced"
            )
            try await trial.isHeld(second, by: next)
            try await trial.renew(first, next)
        },
        Case("a previous nonce that does not hold the lease takes nothing over") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let earlier = try await trial.grant(second, try trial.group())
            try await trial.release(second, earlier)
            let grant = try await trial.grant(first, trial.request(earlier.group), after: earlier)
            for previous in trial.lookalikes(of: grant.nonce) + [earlier.nonce] {
                try await trial.refused(
                    second,
                    trial.request(grant.group, by: earlier.candidate, previousNonce: previous),
                    because: grant
                )
            }
            try await trial.renew(first, grant)
        },
        Case("every sign of life changes the version that others see", requires: .observedTakeover) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let request = trial.request(try trial.group())
            let grant = try await trial.grant(first, request)
            var seen: Set<LeaseVersion> = []
            for round in 0..<4 {
                let record = try await trial.refused(second, trial.request(grant.group), because: grant)
                try trial.expect(
                    seen.insert(record.version).inserted,
                    "\(record.version) was seen before; a challenger would think that the holder is silent"
                )
                if round % 2 == 0 {
                    try await trial.renew(first, grant)
                } else {
                    _ = try await trial.grant(first, request)
                }
            }
        },
        Case("a lease that is still the observed version is taken over", requires: .observedTakeover) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.renew(first, grant)
            let record = try await trial.refused(second, trial.request(grant.group), because: grant)
            let request = trial.request(grant.group, observed: record.version)
            let next = try await trial.grant(second, request, after: grant)
            try await trial.renewalIsLost(first, trial.renewal(of: grant), "after the takeover")
            try await trial.isHeld(first, by: next)
        },
        Case("a lease that moved on since it was observed is not taken over", requires: .observedTakeover) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let record = try await trial.refused(second, trial.request(grant.group), because: grant)
            try await trial.renew(first, grant)
            let version = record.version
            for observed in [
                version, LeaseVersion(term: version.term - 1, sequence: version.sequence + 1),
                LeaseVersion(term: version.term, sequence: version.sequence + 100),
            ] {
                try await trial.refused(second, trial.request(grant.group, observed: observed), because: grant)
            }
            try await trial.renew(first, grant)
        },
    ]
}
