// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

extension PostgresStore {
    func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        longestLease = requests.reduce(longestLease) { max($0, $1.leaseDuration) }
        for request in requests { forget(request.group) }
        let answers = try await inRounds(requests, of: \.group) { try await transferOnce($0) }
        leavePlaces(zip(requests, answers).compactMap { if case .transferred = $1 { $0.nonce } else { nil } })
        return answers
    }

    private struct Transfers: Sendable {
        var answers: [TransferAnswer] = []
        /// The authority on record knows only of shorter leases.
        var mustRegister = false
    }

    private func transferOnce(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        let timeout = requests.lazy.map(\.timeout).min() ?? attemptTimeout
        let outcome = try await tryToTransfer(requests, timeout)
        guard outcome.mustRegister else { return outcome.answers }
        // Those that did not wait for it have been moved; asked for again, they would look like lost ones.
        let left = outcome.answers.indices.filter { if case .transferred = outcome.answers[$0] { false } else { true } }
        var answers = outcome.answers
        do {
            try await register(timeout)
            let later = try await tryToTransfer(left.map { requests[$0] }, timeout)
            for (index, answer) in zip(left, later.answers) { answers[index] = answer }
        } catch {
            for index in left { answers[index] = .unknown(error) }
        }
        return answers
    }

    private func tryToTransfer(_ requests: [TransferRequest], _ timeout: Duration) async throws -> Transfers {
        var parameters = PostgresParameters()
        parameters.add(texts: requests.map(\.group.name))
        parameters.add(nonces: requests.map(\.nonce))
        parameters.add(integers: requests.map { Optional($0.term) })
        parameters.add(nonces: requests.map(\.heirNonce))
        parameters.add(texts: requests.map(\.heir.id))
        parameters.add(nonces: requests.map(\.heir.incarnation))
        parameters.add(texts: requests.map { MetadataText.encode($0.heir.metadata) })
        parameters.add(integers: requests.map(\.leaseDuration.wholeMilliseconds))
        return try await run({ $0.transfer }, parameters, timeout) { result in
            var outcome = Transfers()
            for row in requests.indices {
                if let term = result.integer(row, 1) {
                    outcome.answers.append(.transferred(term: term))
                } else if result.flag(row, 2) {
                    outcome.mustRegister = outcome.mustRegister || result.flag(row, 3)
                    outcome.answers.append(
                        .refused(reason: "a transaction that is guarded by the term of the lease is still open")
                    )
                } else {
                    outcome.answers.append(.notHeld)
                }
            }
            return outcome
        }
    }
}
#endif
