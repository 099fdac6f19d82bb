// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let concurrencyCases: [Case] = [
        Case("of 64 requests for one group at once, exactly one is granted") { trial in
            var providers: [any ElectionProvider] = []
            for _ in 0..<4 { providers.append(try await trial.provider()) }
            let group = try trial.group()
            var earlier: Int64 = 0
            for _ in 0..<3 {
                let requests = (0..<64).map { trial.request(group, by: trial.candidate("candidate \($0)")) }
                let answers = try await withThrowingTaskGroup(of: (Int, AcquireAnswer).self) { tasks in
                    for (index, request) in requests.enumerated() {
                        let provider = providers[index % providers.count]
                        tasks.addTask { (index, try trial.single(try await provider.acquire([request]))) }
                    }
                    var answers: [(Int, AcquireAnswer)] = []
                    for try await answer in tasks { answers.append(answer) }
                    return answers
                }
                var winners: [(index: Int, grant: Trial.Grant)] = []
                for case (let index, .granted(let term, let duration)) in answers {
                    let request = requests[index]
                    let grant = Trial.Grant(
                        group: group,
                        candidate: request.candidate,
                        nonce: request.nonce,
                        term: term,
                        leaseDuration: duration
                    )
                    winners.append((index, grant))
                }
                guard winners.count == 1, let winner = winners.first else {
                    throw trial.failure("\(winners.count) requests were granted")
                }
                try trial.expect(winner.grant.term > earlier, "term \(winner.grant.term) came after \(earlier)")
                for case (let index, let answer) in answers where index != winner.index {
                    switch answer {
                    case .held(let record): try trial.check(record, shows: winner.grant)
                    case .deferred: break  // the winner was under way, and nobody could tell yet who it is
                    default: throw trial.failure("a loser was answered \(answer)")
                    }
                    try await trial.leaveQueue(providers[index % providers.count], requests[index])
                }
                let provider = providers[winner.index % providers.count]
                try await trial.renew(provider, winner.grant)
                try await trial.release(provider, winner.grant)
                earlier = winner.grant.term
            }
        },
        Case("many groups are acquired, renewed and released at once") { trial in
            var providers: [any ElectionProvider] = []
            for _ in 0..<4 { providers.append(try await trial.provider()) }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for (index, group) in try trial.groups(48).enumerated() {
                    let provider = providers[index % providers.count]
                    let stranger = providers[(index + 1) % providers.count]
                    tasks.addTask {
                        var last: Trial.Grant?
                        for _ in 0..<4 {
                            let request = trial.request(group, previousNonce: last?.nonce)
                            let grant = try await trial.grant(provider, request)
                            try trial.expect(
                                grant.term > last?.term ?? 0,
                                "term \(grant.term) came after \(last?.term ?? 0)"
                            )
                            try await trial.renew(provider, grant)
                            try await trial.refused(stranger, trial.request(group), because: grant)
                            try await trial.release(provider, grant)
                            last = grant
                        }
                    }
                }
                try await tasks.waitForAll()
            }
        },
        Case("candidates that take turns at one group never hold it together, and terms grow") { trial in
            let group = try trial.group()
            let terms = try await withThrowingTaskGroup(of: [Int64].self) { tasks in
                for _ in 0..<6 {
                    let provider = try await trial.provider()
                    tasks.addTask {
                        var terms: [Int64] = []
                        for _ in 0..<40 {
                            let request = trial.request(group)
                            let answer = try trial.single(try await provider.acquire([request]))
                            guard case .granted(let term, let duration) = answer else {
                                try await trial.leaveQueue(provider, request)
                                continue
                            }
                            let grant = Trial.Grant(
                                group: group,
                                candidate: request.candidate,
                                nonce: request.nonce,
                                term: term,
                                leaseDuration: duration
                            )
                            try trial.expect(term > terms.last ?? 0, "term \(term) came after \(terms.last ?? 0)")
                            terms.append(term)
                            try await trial.isHeld(provider, by: grant)
                            try await trial.renew(provider, grant)
                            try await trial.release(provider, grant)
                        }
                        return terms
                    }
                }
                return try await tasks.reduce(into: [Int64]()) { $0 += $1 }
            }
            try trial.expect(!terms.isEmpty, "no request was granted")
            try trial.expect(Set(terms).count == terms.count, "a term was granted twice")
        },
        Case("a provider stays usable when a task is cancelled in the middle of a call") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            for _ in 0..<8 {
                let request = trial.request(try trial.group())
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { _ = try? await first.acquire([request]) }
                    tasks.cancelAll()
                }
                // The outcome is unknown: either nothing happened, or the nonce holds the lease and can give it back.
                let release = ReleaseRequest(
                    group: request.group,
                    nonce: request.nonce,
                    term: nil,
                    timeout: trial.callTimeout
                )
                let answer = try trial.single(try await first.release([release]))
                if case .unknown = answer { throw trial.failure("the release was answered \(answer)") }
                let grant = try await trial.grant(second, trial.request(request.group))
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { _ = try? await second.renew([trial.renewal(of: grant)]) }
                    tasks.cancelAll()
                }
                try await trial.renew(second, grant)
                try await trial.release(second, grant)
                try await trial.isFree(first, request.group, lastTerm: grant.term)
            }
        },
    ]
}
