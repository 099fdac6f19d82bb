// SPDX-License-Identifier: MIT

import LeaderElection
import Synchronization

extension BrokenProvider: TransferringProvider {
    func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        try meetCancellation()
        var answers: [TransferAnswer] = []
        for request in requests { answers.append(await transfer(request)) }
        let refusals = answers.contains { if case .notHeld = $0 { true } else { false } }
        if defect == .transferFailsWholeBatch, refusals { return answers.map { _ in .notHeld } }
        return spoil(answers)
    }

    private func transfer(_ original: TransferRequest) async -> TransferAnswer {
        var request = original
        request.group = map(request.group)
        request.term = stored(request.term, in: request.group)
        let record = store.records[request.group]
        let lease = record?.lease
        let isHeld = lease?.nonce == request.nonce && record?.term == request.term
        let asker = shared.memory.withLock { $0.askers[request.heirNonce] }
        var instant: ElectionInstant?
        switch defect {
        case .transferOnlyReleases where isHeld:
            giveUp(request.group)
            return .transferred(term: nil)
        case .transferDoesNothing where isHeld: return .transferred(term: nil)
        case .transferKeepsTheDeadline: request.leaseDuration = (lease?.deadline ?? .distantPast) - shared.clock.now
        case .transferIgnoresNonce: request.nonce = lease?.nonce ?? request.nonce
        case .transferIgnoresTerm: request.term = record?.term ?? request.term
        case .transferRevivesExpired:
            if let deadline = lease?.deadline, deadline <= shared.clock.now {
                instant = deadline.advanced(by: .nanoseconds(-1))
            }
        case .transferTakesWhatIsFree where lease == nil: return take(request)
        case .transferChecksBeforeSuspending where isHeld:
            for _ in 0..<20 { await Task.yield() }
            request.nonce = store.records[request.group]?.lease?.nonce ?? request.nonce
            request.term = store.records[request.group]?.term ?? request.term
        case .transferToItselfKeepsTheTerm where isHeld && request.heirNonce == request.nonce:
            return .transferred(term: request.term)
        case .transferToAStrangerReleases where asker == nil:
            giveUp(request.group)
            return .refused(reason: "the heir has never asked")
        case .transferRefusesItsOwnCandidates where asker == ObjectIdentifier(self):
            return .refused(reason: "the heir is a neighbour")
        default: break
        }
        // Known before the store tells anybody of it.
        shared.memory.withLock { $0.transferred[ObjectIdentifier(self), default: []].append(request) }
        let answer = store.transfer(request, at: instant)
        guard case .transferred(let term?) = answer else { return answer }
        if defect == .transferKeepsTheTerm {
            shared.memory.withLock { $0.termOffset[request.group.name, default: 0] += 1 }
        }
        return .transferred(term: seen(term, in: request.group))
    }

    private func take(_ request: TransferRequest) -> TransferAnswer {
        let acquisition = AcquireRequest(
            group: request.group,
            candidate: request.heir,
            nonce: request.heirNonce,
            leaseDuration: request.leaseDuration,
            timeout: request.timeout
        )
        guard case .granted(let term, _) = store.acquire(acquisition) else { return .notHeld }
        return .transferred(term: term)
    }

    func endTransferred() {
        guard defect == .transferEndsWithProvider else { return }
        for request in shared.memory.withLock({ $0.transferred[ObjectIdentifier(self)] ?? [] }) {
            let release = ReleaseRequest(group: request.group, nonce: request.heirNonce, term: nil, timeout: .zero)
            _ = store.release(release)
        }
    }
}

extension BrokenProvider.Shared {
    /// Whether the lease is held by somebody to whom it was moved.
    func isTransferred(_ group: ElectionGroup) -> Bool {
        let nonce = store.records[group]?.lease?.nonce
        return memory.withLock { $0.transferred.values.joined().contains { $0.heirNonce == nonce } }
    }

    /// Whether an heir has not asked yet for what was moved to it.
    func isOnItsWay(_ group: ElectionGroup) -> Bool {
        isTransferred(group) && store.records[group]?.lease?.sequence == 0
    }
}
