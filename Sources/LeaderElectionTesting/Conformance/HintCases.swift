// SPDX-License-Identifier: MIT

internal import LeaderElection

extension Trial {
    func pushing(_ provider: any ElectionProvider) throws -> any PushingProvider {
        guard let pushing = provider as? any PushingProvider else {
            throw failure("\(type(of: provider)) is no PushingProvider")
        }
        try expect(provider.guarantees.pushesRelease, "guarantees.pushesRelease is false")
        return pushing
    }

    func expectHint(_ recorder: HintRecorder, for group: ElectionGroup, after mark: Int, of what: String) async throws {
        guard try await recorder.waits(for: group, after: mark, upTo: fixture.hintTimeout) else {
            throw failure("no hint within \(fixture.hintTimeout) of \(what)")
        }
    }

    /// Hands the lease from one provider to the other and back, each time told by a hint.
    func handOver(
        _ group: ElectionGroup,
        from holder: any ElectionProvider,
        to waiting: any ElectionProvider,
        told recorder: HintRecorder
    ) async throws {
        let grant = try await grant(holder, group)
        // Being refused is what tells a store who is waiting.
        let request = request(group)
        try await refused(waiting, request, because: grant, isToStay: true)
        let mark = recorder.mark
        try await release(holder, grant)
        try await expectHint(recorder, for: group, after: mark, of: "a release")
        let next = try await self.grant(waiting, request, after: grant)
        try await release(waiting, next)
    }
}

extension ProviderConformance {
    static let hintCases: [Case] = [
        Case("a release reaches a waiting candidate", requires: .hints) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let recorder = HintRecorder()
            let subscription = try trial.pushing(second).hints { recorder.receive($0) }
            defer { subscription.cancel() }
            let group = try trial.group()
            // More than once: the first hint may be the one of a push channel that has just come up.
            for _ in 0..<4 { try await trial.handOver(group, from: first, to: second, told: recorder) }
        },
        Case("a takeover reaches a waiting candidate", requires: .hints) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let recorder = HintRecorder()
            let subscription = try trial.pushing(second).hints { recorder.receive($0) }
            defer { subscription.cancel() }
            var grant = try await trial.grant(first, try trial.group())
            for _ in 0..<4 {
                let request = trial.request(grant.group)
                try await trial.refused(second, request, because: grant, isToStay: true)
                let mark = recorder.mark
                let again = trial.request(grant.group, by: grant.candidate, previousNonce: grant.nonce)
                guard second.guarantees.queuesCandidates else {
                    grant = try await trial.grant(first, again, after: grant)
                    try await trial.expectHint(recorder, for: grant.group, after: mark, of: "a takeover")
                    continue
                }
                // Whoever comes back stands behind whoever waits.
                _ = try await trial.acquire(first, again)
                try await trial.expectHint(recorder, for: grant.group, after: mark, of: "a return to the queue")
                let next = try await trial.grant(second, request, after: grant)
                try await trial.release(second, next)
                grant = try await trial.grant(first, again, after: next)
            }
        },
        Case("every subscription is told, and none after it was cancelled or let go", requires: .hints) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let pushing = try trial.pushing(second)
            let (kept, cancelled, dropped) = (HintRecorder(), HintRecorder(), HintRecorder())
            let keptSubscription = pushing.hints { kept.receive($0) }
            defer { keptSubscription.cancel() }
            let cancelledSubscription = pushing.hints { cancelled.receive($0) }
            var droppedSubscription: (any HintSubscription)? = pushing.hints { dropped.receive($0) }
            let before = try trial.group()
            for recorder in [kept, cancelled, dropped] {
                try await trial.handOver(before, from: first, to: second, told: recorder)
            }
            cancelledSubscription.cancel()
            cancelledSubscription.cancel()
            try trial.expect(droppedSubscription != nil, "there is no subscription")
            droppedSubscription = nil
            // Another group: whatever is still under way concerns the first one.
            let after = try trial.group()
            for _ in 0..<3 { try await trial.handOver(after, from: first, to: second, told: kept) }
            try trial.expect(!cancelled.hasChanged(after), "a hint came after the subscription was cancelled")
            try trial.expect(!dropped.hasChanged(after), "a hint came after the subscription was let go")
        },
    ]
}
