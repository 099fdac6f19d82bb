// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

/// Handing a lease to an heir.
///
/// Where candidates time the lease one write does it. A session's lease can only be taken by the heir's own session, which
/// nobody else knows: so the leader's goes on holding the key in the heir's name, and the heir, when it asks, takes the key
/// from one session to the other in one transaction. An unlocking is no end of a session, so there is no lock-delay.
extension ConsulStore {
    func transfer(_ requests: [TransferRequest], until deadline: ElectionInstant) async -> [TransferAnswer] {
        // Consul would not count a write that changes nothing, and there would be no new term.
        var answers: [TransferAnswer?] = requests.map { request in
            request.nonce == request.heirNonce ? .refused(reason: "\"\(request.heir.id)\" leads already") : nil
        }
        // What a renewal under way has changed is read, and tried once more.
        for round in 0..<3 {
            var groups: Set<ElectionGroup> = []
            let turn = requests.indices.filter { answers[$0] == nil && groups.insert(requests[$0].group).inserted }
            guard !turn.isEmpty else { break }
            var moves: [Move] = []
            var unread: [Int] = []
            for index in turn {
                let request = requests[index]
                let lease = held.lease(request.group, nonce: request.nonce, term: request.term)
                if lease != nil { held.remove(request.group, nonce: request.nonce) }
                if round == 0, let lease {
                    moves.append(Move(request: index, index: lease.index, session: lease.session))
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
                        request.term == lease.term
                    else { fallthrough }
                    moves.append(Move(request: index, index: entry.modifyIndex, session: entry.session))
                case .success(nil), nil: answers[index] = .notHeld
                }
            }
            let changes = moves.map { (names.key(requests[$0.request].group), operations($0, requests[$0.request])) }
            // The heir has all of the lease, as far as it is the session's.
            for lease in sessions.all where moves.contains(where: { $0.session == lease.session.id }) {
                _ = sessions.renew(lease.lease, within: max(.milliseconds(1), deadline - .now))
            }
            for (move, outcome) in zip(moves, await apply(changes, until: deadline)) {
                switch outcome {
                case .applied(let entry): answers[move.request] = moved(move, requests[move.request], entry)
                case .unknown(let error): answers[move.request] = .unknown(error)
                case .refused(let text) where text.contains("Permission denied") || text.contains("ACL not found"):
                    answers[move.request] = .unknown(ConsulFailure.operation(text, at: settings.place))
                case .refused: break
                }
            }
        }
        let error = ElectionError(.storeUnavailable, "the entry changes faster than it can be handed over")
        return answers.map { $0 ?? .unknown(error) }
    }

    private struct Move: Sendable {
        let request: Int
        /// Of the entry, as it must still be.
        let index: UInt64
        let session: String?
    }

    private func operations(_ move: Move, _ request: TransferRequest) -> [KVOperation] {
        let key = names.key(request.group)
        let record = StoredRecord(
            candidate: request.heir,
            nonce: request.heirNonce,
            leaseDuration: request.leaseDuration,
            lockDelay: move.session == nil ? nil : settings.lockDelay(forLease: request.leaseDuration)
        )
        guard let session = move.session else {
            return [.compareAndSet(key, move.index, flags: KVEntry.observedFlags, value: record.encoded)]
        }
        return [
            .checkIndex(key, move.index), .unlock(key, session: session, value: []),
            .lock(key, session: session, value: record.encoded),
        ]
    }

    private func moved(_ move: Move, _ request: TransferRequest, _ entry: KVEntry) -> TransferAnswer {
        guard let session = move.session else { return .transferred(term: entry.term) }
        let handover = Handovers.Handover(group: request.group, session: session, index: entry.modifyIndex)
        handovers.insert(handover)
        end(handover, heirNonce: request.heirNonce, after: request.leaseDuration)
        // The heir's own write makes it.
        return .transferred(term: nil)
    }

    /// Frees the lease of an heir that never asks, when its time is up: our session may well go on.
    private func end(_ handover: Handovers.Handover, heirNonce: Nonce, after time: Duration) {
        http.loop.scheduleTask(in: TimeAmount(time)) { [weak self] in
            guard let self else { return }
            // An heir of this same process holds it by the same session and the same write.
            guard held[handover.group]?.nonce != heirNonce else { return handovers.remove(handover) }
            let key = names.key(handover.group)
            let operations = [
                KVOperation.checkIndex(key, handover.index),
                .unlock(
                    key,
                    session: handover.session,
                    value: StoredRecord.released(lastTerm: Int64(clamping: handover.index))
                ),
            ]
            http.send(.put, "txn?", body: KVOperation.body(operations), within: .seconds(5)).reply
                .whenComplete { [weak self] result in
                    switch result {
                    // Also where it was refused: the heir has it, or the session has ended.
                    case .success: self?.handovers.remove(handover)
                    case .failure: self?.end(handover, heirNonce: heirNonce, after: .seconds(1))
                    }
                }
        }
    }
}
#endif
