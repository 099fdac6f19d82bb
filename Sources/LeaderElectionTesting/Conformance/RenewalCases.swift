// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let renewalCases: [Case] = [
        Case("a held lease is renewed again and again, with its term unchanged") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            for _ in 0..<5 {
                try await trial.renew(first, grant)
                try await trial.refused(second, trial.request(grant.group), because: grant)
            }
        },
        Case("a renewal with another nonce is lost") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            for nonce in trial.lookalikes(of: grant.nonce) {
                for provider in [first, second] {
                    try await trial.renewalIsLost(
                        provider,
                        trial.renewal(of: grant, nonce: nonce),
                        "with nonce \(nonce) of a lease of \(grant.nonce)"
                    )
                }
            }
            try await trial.renew(first, grant)
        },
        Case("a renewal with another term is lost") { trial in
            let provider = try await trial.provider()
            let grant = try await trial.grant(provider, try trial.group())
            for term in [grant.term - 1, grant.term + 1, 0, -grant.term, .max] {
                try await trial.renewalIsLost(
                    provider,
                    trial.renewal(of: grant, term: term),
                    "with term \(term) of a lease of term \(grant.term)"
                )
            }
            try await trial.renew(provider, grant)
        },
        Case("a renewal of a group that was never granted is lost") { trial in
            let provider = try await trial.provider()
            let group = try trial.group()
            let grant = Trial.Grant(
                group: group,
                candidate: trial.candidate(),
                nonce: Nonce(),
                term: 1,
                leaseDuration: trial.fixture.leaseDuration
            )
            try await trial.renewalIsLost(provider, trial.renewal(of: grant), "of a free group")
            try await trial.isFree(provider, group)
        },
        Case("a renewal that arrives after the release cannot revive the lease") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.release(first, grant)
            try await trial.renewalIsLost(first, trial.renewal(of: grant), "after the release")
            try await trial.isFree(second, grant.group, lastTerm: grant.term)
            let next = try await trial.grant(second, trial.request(grant.group), after: grant)
            try await trial.renewalIsLost(first, trial.renewal(of: grant), "after another was granted the lease")
            try await trial.renewalIsLost(
                first,
                trial.renewal(of: grant, term: next.term),
                "with the term of the next holder"
            )
            try await trial.renew(second, next)
        },
        Case("a lost renewal names the holder truly, if at all") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.release(first, grant)
            let next = try await trial.grant(second, trial.request(grant.group), after: grant)
            let answer = try trial.single(try await first.renew([trial.renewal(of: grant)]))
            guard case .lost(let record) = answer else { throw trial.failure("the renewal was answered \(answer)") }
            if let record { try trial.check(record, shows: next) }
        },
    ]
}
