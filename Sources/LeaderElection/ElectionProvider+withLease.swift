// SPDX-License-Identifier: MIT

extension ElectionProvider {
    /// Holds the lease of a group while `body` runs: for a critical section such as a migration.
    ///
    /// The lease is renewed while the body runs, which is cancelled if the lease is lost, and given back afterwards.
    ///
    /// ```swift
    /// try await provider.withLease("schema-migration", waitingUpTo: .seconds(30)) { lease in
    ///     try await migrate(fencedBy: lease.term)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - group: the name of the lease.
    ///   - limit: how long to wait for another holder; by default only one attempt is made.
    ///   - configuration: how to take part.
    ///   - clock: where time comes from; only tests give another one.
    ///   - body: the work.
    /// - Throws: what the body throws; ``ElectionError/Code/leaseHeld`` if the lease was not to be had in time, or the
    ///   store's own error if that was why; ``ElectionError/Code/leaseLost`` if it was lost while the body was running.
    @discardableResult
    public func withLease<Result: Sendable>(
        _ group: String,
        waitingUpTo limit: Duration = .zero,
        configuration: ElectionConfiguration = .standard,
        clock: some ElectionClock = .system,
        _ body: @escaping @Sendable (Leadership) async throws -> Result
    ) async throws -> Result {
        let election = try ElectionService(group, provider: self, configuration: configuration, clock: clock)
        let attempt = try LeaseTiming(configuration).attemptTimeout
        let events = election.board.events.subscribe(EventBuffer())
        return try await withElection(election) { election in
            let timer = clock.schedule(at: clock.now + max(limit, attempt)) { events.finish() }
            defer { timer.cancel() }
            var problem: ElectionError?
            while let event = await events.next() {
                if let error = event.error { problem = error }
                if event.kind == .deferred, let reason = event.reason {
                    problem = ElectionError(.leaseHeld, "nobody may hold the lease for now: \(reason)", group: group)
                }
                if event.kind == .acquired, let leadership = election.leadership {
                    timer.cancel()
                    if let result = try await election.run(in: leadership, body) { return result }
                } else if limit <= .zero, [.changed, .deferred, .error].contains(event.kind) {
                    break
                }
            }
            try Task.checkCancellation()
            if let leader = election.leader {
                throw ElectionError(
                    .leaseHeld,
                    "\"\(leader.id)\" holds the lease in term \(leader.term) and did not give it back within "
                        + limit.text(),
                    group: group
                )
            }
            throw problem
                ?? ElectionError(.leaseHeld, "the lease was not to be had within \(limit.text())", group: group)
        }
    }
}
