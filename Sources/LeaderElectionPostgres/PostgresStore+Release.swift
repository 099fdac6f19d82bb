// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

extension PostgresStore {
    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        // While this process counts as one that cares for the group.
        let listeners = knownCandidates
        for request in requests { forget(request.group) }
        return try await inRounds(requests, of: \.group) { requests in
            let timeout = requests.lazy.map(\.timeout).min() ?? attemptTimeout
            // Somebody waits for a single one, and it takes the server half as long.
            guard requests.count == 1 else {
                leavePlaces(requests.map(\.nonce))
                return try await releaseAll(requests, timeout)
            }
            return [try await releaseOne(requests[0], timeout, lots.drawn(among: listeners))]
        }
    }

    private func releaseAll(_ requests: [ReleaseRequest], _ timeout: Duration) async throws -> [ReleaseAnswer] {
        var parameters = PostgresParameters()
        parameters.add(texts: requests.map(\.group.name))
        parameters.add(nonces: requests.map(\.nonce))
        parameters.add(integers: requests.map(\.term))
        return try await run({ $0.release }, parameters, timeout) { result in
            var answers = requests.map { _ in ReleaseAnswer.notHeld }
            for row in 0..<result.rowCount {
                guard let number = result.integer(row, 1), answers.indices.contains(Int(number) - 1) else { continue }
                answers[Int(number) - 1] = .released
            }
            return answers
        }
    }

    /// - Parameter lots: the channels on which a few are told before the others; none if all are to be told at once.
    func releaseOne(
        _ request: ReleaseRequest,
        _ timeout: Duration,
        _ lots: [SQLName]
    ) async throws -> ReleaseAnswer {
        // From now on: word of a grant can be here before the answer.
        let watch = GrantWatch()
        watches.append((request.group, watch))
        defer { watches.removeAll { $0.watch === watch } }
        var areFewTold = true
        var term = try await releaseInLine(request, timeout)
        if term == nil {
            areFewTold = !lots.isEmpty
            leavePlaces([request.nonce])
            term = try await releaseTold(request, timeout, lots)
        }
        guard let term = term ?? nil else { return .notHeld }
        if areFewTold, await !watch.hears(ofGrantAfter: term, within: headStart) {
            await tellOfRelease(request.group, term, timeout)
        }
        return .released
    }

    /// - Returns: its term; nil for a lease that was not held.
    private func releaseTold(_ request: ReleaseRequest, _ timeout: Duration, _ lots: [SQLName]) async throws -> Int64? {
        var parameters = PostgresParameters()
        parameters.add(request.group.name)
        parameters.add(request.nonce)
        parameters.add(request.term)
        // A list costs the server a tenth of the whole statement, and there mostly is but one channel.
        let isByLot = lots.count > 1
        if isByLot {
            parameters.add(texts: lots.map(\.name))
        } else {
            parameters.add((lots.first ?? settings.channel).name)
        }
        let query: PostgresLink.Text = { isByLot ? $0.releaseOneByLot : $0.releaseOne }
        return try await run(query, parameters, timeout, mayBeEmpty: true) { $0.integer(0, 1) }
    }

    /// Tells all of a lease that none of the few has taken as far as is known here: they may be gone, or not want it.
    ///
    /// A process that ends before it comes to this is like one that was killed: the others have the end of the lease, as
    /// they know it, for a timer. Likewise if this fails, which changes nothing about the release.
    private func tellOfRelease(_ group: ElectionGroup, _ term: Int64, _ timeout: Duration) async {
        var parameters = PostgresParameters()
        parameters.add(group.name)
        parameters.add(term)
        // Not given up when the task is cancelled: that would cost the connection.
        await withCheckedContinuation { continuation in
            work.assumeIsolated { work in
                work.run({ [parameters] in $0.tellOfRelease.with(parameters) }, timeout: timeout) { _ in
                    continuation.resume()
                }
            }
        }
    }
}
#endif
