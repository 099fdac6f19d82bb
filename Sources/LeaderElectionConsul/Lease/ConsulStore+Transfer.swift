// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

/// Handing a lease to an heir.
///
/// Where candidates time the lease one write does it. A session's lease can only be taken by the heir's own session, which
/// nobody else knows: so the leader's goes on holding the key in the heir's name, and the heir, when it asks, takes the key
/// from one session to the other in one transaction, and keeps the term in which it was handed over. An unlocking is no end of a session, so there is no lock-delay.
extension ConsulStore {
    func transfer(_ requests: [TransferRequest], until deadline: ElectionInstant) async -> [TransferAnswer] {
        var answers = [TransferAnswer?](repeating: nil, count: requests.count)
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
                // Consul would not count a write that changes nothing, and there would be no new term.
                if lease != nil, request.heirNonce == request.nonce {
                    answers[index] = .refused(reason: "\"\(request.heir.id)\" leads already")
                    continue
                }
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
                        request.term == lease.term, request.heirNonce != request.nonce
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
                case .applied(let entry):
                    watchOver(move, requests[move.request])
                    answers[move.request] = .transferred(term: entry.term)
                case .unknown(let error):
                    watchOver(move, requests[move.request])
                    answers[move.request] = .unknown(error)
                case .refused(let text) where ConsulFailure.isDenial(text):
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
            lockDelay: move.session == nil ? nil : settings.lockDelay(forLease: request.leaseDuration),
            isHandover: true
        )
        guard let session = move.session else {
            return [.compareAndSet(key, move.index, flags: KVEntry.observedFlags, value: record.encoded)]
        }
        return [
            .checkIndex(key, move.index), .unlock(key, session: session, value: []),
            .lock(key, session: session, value: record.encoded),
        ]
    }

    /// What was moved, or may have been, ends if the heir does not ask in time.
    private func watchOver(_ move: Move, _ request: TransferRequest) {
        lookouts.ring(.transferred, of: request.group)
        guard let session = move.session else { return }
        let handover = Handovers.Handover(group: request.group, session: session, heirNonce: request.heirNonce)
        handovers.insert(handover)
        end(handover, after: request.leaseDuration)
    }

    /// Frees the lease of an heir that never asks, when its time is up: our session may well go on.
    private func end(_ handover: Handovers.Handover, after time: Duration) {
        let patience = Duration.seconds(5)
        http.loop.scheduleTask(in: TimeAmount(time)) { [weak self] in
            guard let self else { return }
            let key = names.key(handover.group)
            http.send(.put, "txn?consistent", body: KVOperation.body([.read(key)]), within: patience).reply
                .flatMapThrowing { try TransactionResult($0).entries.first { $0.key == key } }
                .flatMap { entry in
                    let record = KVState(entry).record
                    guard let entry, entry.session == handover.session, record?.nonce == handover.heirNonce,
                        // An heir of this same process holds it by the same session and the same write.
                        self.held[handover.group]?.nonce != handover.heirNonce
                    else { return self.http.loop.makeSucceededVoidFuture() }
                    let operations = [
                        KVOperation.checkIndex(key, entry.modifyIndex),
                        .unlock(key, session: handover.session, value: StoredRecord.released(lastTerm: entry.term)),
                    ]
                    // If it is refused, the heir has come after all, or the session has ended.
                    return self.http.send(.put, "txn?", body: KVOperation.body(operations), within: patience).reply
                        .map { _ in }
                }
                .whenComplete { [weak self] result in
                    switch result {
                    case .success: self?.handovers.remove(handover)
                    case .failure: self?.end(handover, after: .seconds(1))
                    }
                }
        }
    }
}
#endif
