// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection
internal import Synchronization

extension RedisLeaseStore {
    func transfer(_ requests: [TransferRequest], until deadline: ElectionInstant) async throws -> [TransferAnswer] {
        let longest = requests.lazy.map(\.leaseDuration).max() ?? .zero
        let registered = state.withLock { state in
            state.longestLease = max(state.longestLease, longest)
            return state.longestLease
        }
        let prepared = try await prepare(until: deadline)
        var arguments = header(prepared, prefix: keys.leasePrefix)
        arguments.reserveCapacity(6 + 7 * requests.count)
        arguments.append(shared.options.isQuarantineOn ? LeaseWord.milliseconds(registered) : [])
        for request in requests {
            arguments.append(LeaseWord.nonce(request.nonce))
            arguments.append(LeaseWord.number(request.term))
            arguments.append(LeaseWord.nonce(request.heirNonce))
            arguments.append(LeaseWord.milliseconds(request.leaseDuration))
            arguments.append(LeaseWord.text(request.heir.id))
            arguments.append(LeaseWord.nonce(request.heir.incarnation))
            arguments.append(LeaseWord.text(MetadataText.encode(request.heir.metadata)))
        }
        var (reply, unacknowledged) = try await call(
            LeaseScripts.transfer,
            keys: [keys.authority] + requests.map { keys.lease($0.group) },
            arguments,
            prepared,
            isReplicated: true,
            until: deadline
        )
        let answers: [TransferAnswer] = try requests.map { request in
            switch try reply.status(of: request.group) {
            case .granted(let term): unacknowledged.map { .unknown($0) } ?? .transferred(term: term)
            case .lost: .notHeld
            case .refused(let error): .unknown(error)
            case .held, .free, .deferred, .outdated: throw LeaseReply.malformed
            }
        }
        try reply.checkEnd()
        return answers
    }
}
#endif
