// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

extension ConsulStore {
    func renew(_ requests: [RenewRequest], until deadline: ElectionInstant) async -> [RenewAnswer] {
        var answers = [RenewAnswer?](repeating: nil, count: requests.count)
        var locked: [(request: Int, held: HeldLease)] = []
        var observed: [Int] = []
        for (index, request) in requests.enumerated() {
            guard let held = held.lease(request.group, nonce: request.nonce, term: request.term) else {
                answers[index] = .lost(nil)
                continue
            }
            if held.session == nil { observed.append(index) } else { locked.append((index, held)) }
        }
        for (index, answer) in await renew(locked, of: requests, until: deadline) { answers[index] = answer }
        for (index, answer) in await renew(observed: observed, of: requests, until: deadline) {
            answers[index] = answer
        }
        return answers.map { $0 ?? .lost(nil) }
    }

    // MARK: - By a session

    /// One request for all of them, whatever their number.
    private func renew(
        _ locked: [(request: Int, held: HeldLease)],
        of requests: [RenewRequest],
        until deadline: ElectionInstant
    ) async -> [(Int, RenewAnswer)] {
        guard !locked.isEmpty else { return [] }
        let ids = Set(locked.compactMap(\.held.session))
        let renewals = sessions.all.filter { ids.contains($0.session.id) }.map { lease, session in
            (session.id, lease, sessions.renew(lease, within: max(.milliseconds(1), deadline - .now)))
        }
        // The watch sees at once if an operator deletes or overwrites a key; without it the keys are read.
        let read = watch.isCurrent ? nil : await read(locked.lazy.map { requests[$0.request].group }, until: deadline)
        var proven: [String: Result<Duration?, any Error>] = [:]
        for (id, lease, renewal) in renewals {
            do {
                proven[id] = .success(try await renewal.get()?.id == id ? lease : nil)
                watch.tellInterruption()
            } catch {
                proven[id] = .failure(error)
            }
        }
        return locked.map { index, held in
            let request = requests[index]
            switch held.session.flatMap({ proven[$0] }) {
            case .failure(let error): return (index, .unknown(error))
            case .success(nil), nil:
                self.held.remove(request.group, nonce: request.nonce)
                return (index, .lost(nil))
            case .success(let lease?):
                guard self.held.lease(request.group, nonce: request.nonce, term: request.term) != nil else {
                    return (index, .lost(nil))
                }
                switch read?[request.group] {
                case .failure(let error): return (index, .unknown(error))
                case .success(let entry) where !(entry.map { held.isShown(by: $0) } ?? false):
                    self.held.remove(request.group, nonce: request.nonce)
                    return (index, .lost(entry.flatMap { KVState.lease($0) }))
                case .success, nil: return (index, .renewed(leaseDuration: lease))
                }
            }
        }
    }

    // MARK: - By a write that others see

    private func renew(
        observed: [Int],
        of requests: [RenewRequest],
        until deadline: ElectionInstant
    ) async -> [(Int, RenewAnswer)] {
        var answers: [(Int, RenewAnswer)] = []
        var open = observed
        // What our own write of an unknown outcome has changed is read, and tried once more.
        for round in 0..<2 where !open.isEmpty {
            var changes: [(key: String, operations: [KVOperation])] = []
            var changed: [(request: Int, record: StoredRecord)] = []
            let read = round == 0 ? nil : await read(open.lazy.map { requests[$0].group }, until: deadline)
            for index in open {
                let request = requests[index]
                guard let lease = held.lease(request.group, nonce: request.nonce, term: request.term),
                    var record = lease.record
                else {
                    answers.append((index, .lost(nil)))
                    continue
                }
                var expected = lease.index
                switch read?[request.group] {
                case nil: break
                case .failure(let error)?:
                    answers.append((index, .unknown(error)))
                    continue
                case .success(let entry)?:
                    guard let entry, lease.isShown(by: entry), let shown = StoredRecord(entry.value) else {
                        held.remove(request.group, nonce: request.nonce)
                        answers.append((index, .lost(entry.flatMap { KVState.lease($0) })))
                        continue
                    }
                    expected = entry.modifyIndex
                    record.sequence = max(record.sequence, shown.sequence)
                }
                record.term = lease.term
                record.sequence += 1
                record.leaseDuration = request.leaseDuration
                let operation = KVOperation.compareAndSet(
                    names.key(request.group),
                    expected,
                    flags: KVEntry.observedFlags,
                    value: record.encoded
                )
                changes.append((names.key(request.group), [operation]))
                changed.append((index, record))
            }
            open = []
            for ((index, record), outcome) in zip(changed, await apply(changes, until: deadline)) {
                let request = requests[index]
                switch outcome {
                case .unknown(let error): answers.append((index, .unknown(error)))
                case .applied(let entry):
                    if var lease = held.lease(request.group, nonce: request.nonce, term: request.term) {
                        lease.index = max(lease.index, entry.modifyIndex)
                        lease.record = record
                        held[request.group] = lease
                    }
                    answers.append((index, .renewed(leaseDuration: request.leaseDuration)))
                case .refused(let text) where text.contains("Permission denied") || text.contains("ACL not found"):
                    answers.append((index, .unknown(ConsulFailure.operation(text, at: settings.place))))
                case .refused: open.append(index)
                }
            }
        }
        let error = ElectionError(.storeUnavailable, "the entry changes faster than it can be renewed")
        return answers + open.map { ($0, .unknown(error)) }
    }
}
#endif
