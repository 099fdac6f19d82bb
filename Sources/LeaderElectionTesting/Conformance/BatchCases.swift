// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let batchCases: [Case] = [
        Case("an empty batch is answered with nothing") { trial in
            let provider = try await trial.provider()
            let counts = [
                try await provider.acquire([]).count, try await provider.renew([]).count,
                try await provider.release([]).count, try await provider.holders(of: []).count,
            ]
            try trial.expect(counts.allSatisfy { $0 == 0 }, "the numbers of answers are \(counts)")
        },
        Case("a full batch is granted, renewed, read and released in order") { trial in
            let provider = try await trial.provider()
            let requests = try trial.groups(min(256, provider.guarantees.maximumBatch)).map { trial.request($0) }
            var grants: [Trial.Grant] = []
            for (request, answer) in zip(requests, try await provider.acquire(requests)) {
                guard case .granted(let term, let duration) = answer else {
                    throw trial.failure("request \(grants.count + 1) was answered \(answer)")
                }
                grants.append(
                    Trial.Grant(
                        group: request.group,
                        candidate: request.candidate,
                        nonce: request.nonce,
                        term: term,
                        leaseDuration: duration
                    )
                )
            }
            try trial.expect(grants.count == requests.count, "\(requests.count) requests, \(grants.count) answers")
            let renewals = try await provider.renew(grants.map { trial.renewal(of: $0) })
            try trial.expect(renewals.count == grants.count, "\(grants.count) renewals, \(renewals.count) answers")
            for answer in renewals {
                guard case .renewed = answer else { throw trial.failure("a renewal was answered \(answer)") }
            }
            let holders = try await provider.holders(of: grants.map(\.group))
            try trial.expect(holders.count == grants.count, "\(grants.count) groups, \(holders.count) holders")
            for (grant, answer) in zip(grants, holders) {
                guard case .held(let record) = answer else { throw trial.failure("a group was read as \(answer)") }
                try trial.check(record, shows: grant)
            }
            let releases = try await provider.release(grants.map { trial.releaseRequest($0, term: $0.term) })
            try trial.expect(releases.count == grants.count, "\(grants.count) releases, \(releases.count) answers")
            for answer in releases {
                guard case .released = answer else { throw trial.failure("a release was answered \(answer)") }
            }
        },
        Case("a mixed batch is answered in order, each request by its own group's state") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            var requests: [AcquireRequest] = []
            var grants: [Trial.Grant] = []
            // By turns held by another, free, and held by the request itself.
            for (index, group) in try trial.groups(min(30, first.guarantees.maximumBatch)).enumerated() {
                switch index % 3 {
                case 0:
                    grants.append(try await trial.grant(second, trial.request(group)))
                    requests.append(trial.request(group))
                case 1: requests.append(trial.request(group))
                default:
                    let grant = try await trial.grant(first, trial.request(group))
                    grants.append(grant)
                    requests.append(trial.request(group, by: grant.candidate, nonce: grant.nonce))
                }
            }
            let answers = try await first.acquire(requests)
            try trial.expect(answers.count == requests.count, "\(requests.count) requests, \(answers.count) answers")
            for (index, answer) in answers.enumerated() {
                let grant = grants.first { $0.group == requests[index].group }
                switch (index % 3, answer) {
                case (0, .held(let record)):
                    if let grant { try trial.check(record, shows: grant) }
                case (1, .granted): break
                case (2, .granted(let term, _)) where term == grant?.term: break
                default: throw trial.failure("request \(index) of kind \(index % 3) was answered \(answer)")
                }
            }
        },
        Case("one group's loss does not harm the others of its batch") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let good = try await trial.grant(first, try trial.group())
            let bad = try await trial.grant(second, try trial.group())
            let alsoGood = try await trial.grant(first, try trial.group())
            let stolen = trial.renewal(of: bad, nonce: Nonce())
            let renewals = try await first.renew([trial.renewal(of: good), stolen, trial.renewal(of: alsoGood)])
            guard renewals.count == 3, case .renewed = renewals[0], case .lost = renewals[1],
                case .renewed = renewals[2]
            else { throw trial.failure("held, foreign, held were answered \(renewals)") }
            let releases = try await first.release([
                trial.releaseRequest(bad, nonce: Nonce(), term: bad.term),
                trial.releaseRequest(good, term: good.term), trial.releaseRequest(alsoGood, term: alsoGood.term),
            ])
            guard releases.count == 3, case .notHeld = releases[0], case .released = releases[1],
                case .released = releases[2]
            else { throw trial.failure("foreign, held, held were answered \(releases)") }
            try await trial.renew(second, bad)
        },
        Case("a batch that names a group twice grants it once") { trial in
            let provider = try await trial.provider()
            let group = try trial.group()
            let requests = [trial.request(group), trial.request(group)]
            var answers: [AcquireAnswer] = []
            if provider.guarantees.maximumBatch > 1 {
                answers = try await provider.acquire(requests)
            } else {
                for request in requests { answers += try await provider.acquire([request]) }
            }
            let grants = answers.count { if case .granted = $0 { true } else { false } }
            let refusals = answers.count { if case .held = $0 { true } else { false } }
            try trial.expect(grants == 1 && refusals == 1, "two candidates of one process were answered \(answers)")
        },
    ]
}
