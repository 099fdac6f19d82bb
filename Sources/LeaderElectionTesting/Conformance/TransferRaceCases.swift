// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let transferRaceCases: [Case] = [
        Case("transfers of several groups in one batch concern their own group only", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.provider())
            var grants: [Trial.Grant] = []
            var requests: [AcquireRequest] = []
            for group in try trial.groups(min(12, first.guarantees.maximumBatch)) {
                grants.append(try await trial.grant(first, group))
                requests.append(try await trial.waitingRequest(second, because: grants[grants.count - 1]))
            }
            let transfers = zip(grants, requests).enumerated().map { index, pair in
                trial.transferRequest(pair.0, to: pair.1, nonce: index % 3 == 1 ? Nonce() : nil)
            }
            let answers = try await first.transfer(transfers)
            try trial.expect(answers.count == transfers.count, "\(transfers.count) requests, \(answers.count) answers")
            for (index, answer) in answers.enumerated() {
                switch (index % 3, answer) {
                case (1, .notHeld): try await trial.renew(first, grants[index])
                case (0, .transferred(let term)), (2, .transferred(let term)):
                    _ = try await trial.inherit(second, requests[index], after: grants[index], term: term)
                default: throw trial.failure("transfer \(index) of kind \(index % 3) was answered \(answer)")
                }
            }
            try trial.expect(try await first.transfer([]).isEmpty, "an empty batch was answered")
        },
        Case("a transfer reaches the heir", requires: [.transfer, .hints]) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.transferring())
            let recorder = HintRecorder()
            let subscription = try trial.pushing(second).hints { recorder.receive($0) }
            defer { subscription.cancel() }
            let group = try trial.group()
            // More than once: the first hint may be the one of a push channel that has just come up.
            for _ in 0..<4 {
                let grant = try await trial.grant(first, group)
                let request = try await trial.waitingRequest(second, because: grant)
                let mark = recorder.mark
                let term = try await trial.handDown(first, grant, to: request)
                try await trial.expectHint(recorder, for: group, after: mark, of: "a transfer")
                let next = try await trial.inherit(second, request, after: grant, term: term)
                try await trial.release(second, next)
            }
        },
        Case("a lease that was transferred does not end with the provider that held it", requires: .transfer) { trial in
            let second = try await trial.provider()
            let group = try trial.group()
            let (grant, request, term) = try await trial.handDownAndLetGo(group, waiting: second)
            try await trial.isKept(second, from: trial.request(group))
            let next = try await trial.inherit(second, request, after: grant, term: term)
            try await trial.renew(second, next)
            try await trial.refused(try await trial.provider(), trial.request(group), because: next)
        },
        Case("of 8 transfers at once exactly one takes place, and its heir alone leads", requires: .transfer) { trial in
            let (first, second) = (try await trial.transferring(), try await trial.provider())
            for _ in 0..<4 {
                let grant = try await trial.grant(first, try trial.group())
                var heirs: [AcquireRequest] = []
                for number in 0..<8 {
                    let candidate = trial.candidate("heir \(number)")
                    heirs.append(try await trial.waitingRequest(second, because: grant, by: candidate))
                }
                let winner = try await trial.race(first, second, grant, heirs)
                for heir in heirs where heir.nonce != winner.nonce {
                    try await trial.isKept(second, from: heir)
                }
                try await trial.renewalIsLost(first, trial.renewal(of: grant), "by the holder before")
                try await trial.isHeld(first, by: winner)
                try await trial.renew(second, winner)
            }
        },
    ]
}

extension Trial {
    /// Moves a lease with a provider that is let go afterwards.
    fileprivate func handDownAndLetGo(
        _ group: ElectionGroup,
        waiting: any ElectionProvider
    ) async throws -> (Grant, AcquireRequest, term: Int64?) {
        let provider = try await transferring()
        let grant = try await grant(provider, group)
        let request = try await waitingRequest(waiting, because: grant)
        return (grant, request, try await handDown(provider, grant, to: request))
    }

    private enum RaceResult: Sendable {
        case transfer(Int, TransferAnswer)
        case renewal(RenewAnswer)
        case acquisition(AcquireRequest, AcquireAnswer)
    }

    /// Transfers one lease to each heir at once, while it is renewed and others ask for it, and finds the one heir.
    fileprivate func race(
        _ holder: any TransferringProvider,
        _ stranger: any ElectionProvider,
        _ grant: Grant,
        _ heirs: [AcquireRequest]
    ) async throws -> Grant {
        let results = try await withThrowingTaskGroup(of: RaceResult.self) { tasks in
            for (index, heir) in heirs.enumerated() {
                tasks.addTask {
                    .transfer(index, try await transfer(holder, transferRequest(grant, to: heir)))
                }
                tasks.addTask { .renewal(try single(try await holder.renew([renewal(of: grant)]))) }
                let other = request(grant.group)
                tasks.addTask { .acquisition(other, try single(try await stranger.acquire([other]))) }
            }
            return try await tasks.reduce(into: [RaceResult]()) { $0.append($1) }
        }
        var winners: [(heir: AcquireRequest, term: Int64?)] = []
        for result in results {
            switch result {
            case .transfer(let index, .transferred(let term)): winners.append((heirs[index], term))
            case .transfer(_, .notHeld), .renewal(.renewed), .renewal(.lost): break
            case .acquisition(let request, .held), .acquisition(let request, .deferred):
                try await leaveQueue(stranger, request)
            default: throw failure("a race of transfers, renewals and requests had the result \(result)")
            }
        }
        guard winners.count == 1, let winner = winners.first else {
            throw failure("of one lease \(winners.count) transfers took place")
        }
        return try await inherit(stranger, winner.heir, after: grant, term: winner.term)
    }
}
