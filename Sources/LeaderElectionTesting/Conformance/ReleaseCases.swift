// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let releaseCases: [Case] = [
        Case("a released lease is free at once, and its term is kept") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.release(first, grant)
            try await trial.isFree(second, grant.group, lastTerm: grant.term)
            let next = try await trial.grant(second, trial.request(grant.group), after: grant)
            try await trial.isHeld(first, by: next)
        },
        Case("a release with another nonce changes nothing") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            for nonce in trial.lookalikes(of: grant.nonce) {
                for term in [grant.term, nil] {
                    try await trial.releaseIsRefused(
                        second,
                        trial.releaseRequest(grant, nonce: nonce, term: term),
                        "with nonce \(nonce) of a lease of \(grant.nonce)"
                    )
                }
            }
            try await trial.isHeld(second, by: grant)
            try await trial.renew(first, grant)
        },
        Case("a release with another term changes nothing") { trial in
            let provider = try await trial.provider()
            let grant = try await trial.grant(provider, try trial.group())
            for term in [grant.term - 1, grant.term + 1, 0, .max] {
                try await trial.releaseIsRefused(
                    provider,
                    trial.releaseRequest(grant, term: term),
                    "with term \(term) of a lease of term \(grant.term)"
                )
            }
            try await trial.isHeld(provider, by: grant)
            try await trial.renew(provider, grant)
        },
        Case("a release without a term frees whatever the nonce holds") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            let answer = try trial.single(try await first.release([trial.releaseRequest(grant, term: nil)]))
            guard case .released = answer else { throw trial.failure("the release was answered \(answer)") }
            _ = try await trial.grant(second, trial.request(grant.group), after: grant)
        },
        Case("a second release changes nothing, not even for the next holder") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.release(first, grant)
            try await trial.releaseIsRefused(
                first,
                trial.releaseRequest(grant, term: grant.term),
                "for the second time"
            )
            let next = try await trial.grant(second, trial.request(grant.group), after: grant)
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
        Case("a release of a group that was never granted is not held") { trial in
            let provider = try await trial.provider()
            let request = ReleaseRequest(
                group: try trial.group(),
                nonce: Nonce(),
                term: nil,
                timeout: trial.callTimeout
            )
            try await trial.releaseIsRefused(provider, request, "of a free group")
            try await trial.isFree(provider, request.group)
        },
    ]

    static let holderCases: [Case] = [
        Case("holders are read in order: never granted, held, released") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let never = try trial.group()
            let held = try await trial.grant(first, try trial.group())
            let released = try await trial.grant(first, try trial.group())
            try await trial.release(first, released)
            for provider in [first, second] {
                let answers = try await provider.holders(of: [never, held.group, released.group])
                guard answers.count == 3, case .free = answers[0], case .held(let record) = answers[1],
                    case .free(let lastTerm) = answers[2]
                else { throw trial.failure("the groups were read as \(answers)") }
                try trial.check(record, shows: held)
                try trial.expect(
                    lastTerm == nil || lastTerm == released.term,
                    "the last term was read as \(lastTerm ?? 0), granted was \(released.term)"
                )
            }
        },
        Case("reading changes nothing") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let group = try trial.group()
            for _ in 0..<3 { try await trial.isFree(second, group) }
            let grant = try await trial.grant(first, group)
            for _ in 0..<3 { try await trial.isHeld(second, by: grant) }
            try await trial.renew(first, grant)
        },
        Case("the time left never exceeds the lease, and shrinks", requires: [.expiry, .remaining]) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            func remaining() async throws -> Duration {
                let record = try await trial.refused(second, trial.request(grant.group), because: grant)
                guard case .held(let read) = try await trial.holder(second, of: grant.group),
                    let left = record.remaining, let leftWhenRead = read.remaining
                else { throw trial.failure("the record does not tell the time left") }
                for left in [left, leftWhenRead] {
                    try trial.expect(
                        left > .zero && left <= grant.leaseDuration,
                        "\(left) are left of a lease of \(grant.leaseDuration)"
                    )
                }
                return max(left, leftWhenRead)
            }
            let atFirst = try await remaining()
            try await trial.pass(0.5, of: grant.leaseDuration)
            let later = try await remaining()
            try trial.expect(
                later < atFirst - grant.leaseDuration / 4,
                "\(atFirst) were left, and still \(later) after half a lease"
            )
            try await trial.renew(first, grant)
            let renewed = try await remaining()
            try trial.expect(renewed > later, "\(later) were left, and only \(renewed) after a renewal")
        },
    ]
}
