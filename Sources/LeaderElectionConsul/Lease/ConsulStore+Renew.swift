// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

extension ConsulStore {
    func renew(_ requests: [RenewRequest], until deadline: ElectionInstant) async -> [RenewAnswer] {
        var answers = [RenewAnswer](repeating: .lost(nil), count: requests.count)
        var locked: [(request: Int, session: String)] = []
        var observed: [Int] = []
        for (index, lease) in held.leases(requests).enumerated() {
            switch lease?.keeper {
            case .session(let session): locked.append((index, session))
            case .candidates: observed.append(index)
            case nil: break
            }
        }
        for (index, answer) in await renew(locked, of: requests, until: deadline) { answers[index] = answer }
        for (index, answer) in await renew(observed: observed, of: requests, until: deadline) {
            answers[index] = answer
        }
        return answers
    }

    // MARK: - By a session

    /// One request for all of them, whatever their number.
    private func renew(
        _ locked: [(request: Int, session: String)],
        of requests: [RenewRequest],
        until deadline: ElectionInstant
    ) async -> [(Int, RenewAnswer)] {
        guard !locked.isEmpty else { return [] }
        let renewals = sessions.all.filter { known in locked.contains { $0.session == known.session.id } }
            .map { lease, session in
                (session.id, lease, sessions.renew(lease, within: max(.milliseconds(1), deadline - .now)))
            }
        // The watch sees at once if an operator deletes or overwrites a key; without it the keys are read.
        let read = watch.isCurrent ? nil : await read(locked.lazy.map { requests[$0.request].group }, until: deadline)
        var proven: [(session: String, lease: Result<Duration?, any Error>)] = []
        for (id, lease, renewal) in renewals {
            do {
                proven.append((id, .success(try await renewal.get()?.id == id ? lease : nil)))
                watch.tellInterruption()
            } catch {
                proven.append((id, .failure(error)))
            }
        }
        let leases = held.leases(locked.lazy.map { requests[$0.request] })
        return zip(locked, leases).map { locked, held in
            let request = requests[locked.request]
            // What the watch has seen to be gone meanwhile is not held any more.
            guard let held else { return (locked.request, .lost(nil)) }
            switch proven.first(where: { $0.session == locked.session })?.lease {
            case .failure(let error): return (locked.request, .unknown(error))
            case .success(nil), nil:
                self.held.remove(request.group, nonce: request.nonce)
                return (locked.request, .lost(nil))
            case .success(let lease?):
                switch read?[request.group] {
                case .failure(let error): return (locked.request, .unknown(error))
                case .success(let entry) where !(entry.map { SeenKey($0, at: .now).shows(held) } ?? false):
                    self.held.remove(request.group, nonce: request.nonce)
                    return (locked.request, .lost(entry.flatMap { KVState.lease($0) }))
                case .success, nil: return (locked.request, .renewed(leaseDuration: lease))
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
                    case .candidates(var record) = lease.keeper
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
                    guard let entry, SeenKey(entry, at: .now).shows(lease), let shown = StoredRecord(entry.value) else {
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
                        lease.keeper = .candidates(record)
                        held[request.group] = lease
                    }
                    answers.append((index, .renewed(leaseDuration: request.leaseDuration)))
                case .refused(let text) where ConsulFailure.isDenial(text):
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
