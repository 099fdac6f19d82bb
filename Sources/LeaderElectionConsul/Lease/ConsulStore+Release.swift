// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

extension ConsulStore {
    func release(_ requests: [ReleaseRequest], until deadline: ElectionInstant) async -> [ReleaseAnswer] {
        watch.released(requests)
        var answers = [ReleaseAnswer?](repeating: nil, count: requests.count)
        for round in 0..<3 {
            var groups: Set<ElectionGroup> = []
            let turn = requests.indices.filter { answers[$0] == nil && groups.insert(requests[$0].group).inserted }
            guard !turn.isEmpty else { break }
            var changes: [(key: String, operations: [KVOperation])] = []
            var changed: [Int] = []
            var unread: [Int] = []
            for index in turn {
                let request = requests[index]
                let lease = held.lease(request.group, nonce: request.nonce, term: request.term)
                if lease != nil { held.remove(request.group, nonce: request.nonce) }
                if round == 0, let lease {
                    changes.append(change(request.group, lease.index, lease.session, term: lease.term))
                    changed.append(index)
                } else {
                    unread.append(index)
                }
            }
            let read = await read(unread.lazy.map { requests[$0].group }, until: deadline)
            for index in unread {
                let request = requests[index]
                switch read[request.group] {
                case .failure(let error): answers[index] = .unknown(error)
                case .success(let entry?):
                    guard let lease = KVState.lease(entry), KVState(entry).record?.nonce == request.nonce,
                        request.term == nil || request.term == lease.term
                    else { fallthrough }
                    changes.append(change(request.group, entry.modifyIndex, entry.session, term: lease.term))
                    changed.append(index)
                case .success(nil), nil: answers[index] = .notHeld
                }
            }
            for (index, outcome) in zip(changed, await apply(changes, until: deadline)) {
                switch outcome {
                case .applied: answers[index] = .released
                case .unknown(let error): answers[index] = .unknown(error)
                case .refused(let text) where ConsulFailure.isDenial(text):
                    answers[index] = .unknown(ConsulFailure.operation(text, at: settings.place))
                case .refused: break
                }
            }
        }
        let error = ElectionError(.storeUnavailable, "the entry changes faster than it can be released")
        return answers.map { $0 ?? .unknown(error) }
    }

    /// The key stays, with the last term in it, and marked so that other programs may lock it.
    func change(
        _ group: ElectionGroup,
        _ index: UInt64,
        _ session: String?,
        term: Int64
    ) -> (key: String, operations: [KVOperation]) {
        let key = names.key(group)
        let value = StoredRecord.released(lastTerm: term)
        guard let session else { return (key, [.compareAndSet(key, index, flags: KVEntry.lockFlags, value: value)]) }
        return (key, [.checkIndex(key, index), .unlock(key, session: session, value: value)])
    }

    /// Gives back what sessions hold, without waiting: nobody leads by this provider any more.
    ///
    /// Other leases run out soon enough; a session's would take twice its time and a lock-delay. One that was handed to
    /// an heir who has not asked yet stays, with its session.
    func close() {
        let left = lookouts.leave()
        watch.stop()
        news.stop()
        let patience = Duration.seconds(5)
        let changes = held.all.filter { $0.value.session != nil }.map { group, lease in
            change(group, lease.index, lease.session, term: lease.term)
        }
        let size = ConsulHTTP.operationsPerTransaction / 2
        let unlocked = stride(from: 0, to: changes.count, by: size).map { start in
            let operations = changes[start..<min(start + size, changes.count)].flatMap(\.operations)
            return http.send(.put, "txn?", body: KVOperation.body(operations), within: patience).reply.map { _ in }
        }
        // The sessions last: a key that is still locked when its session ends stays locked for the lock-delay.
        EventLoopFuture.andAllComplete(unlocked + [left], on: http.loop)
            .flatMap { [sessions, handovers] in sessions.destroy(except: handovers.sessions, within: patience) }
            .whenComplete { [http] _ in http.close() }
    }
}
#endif
