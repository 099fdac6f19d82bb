// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

extension PostgresStore {
    /// Lets the line know what came of asking for the only lease that this process has to do with.
    func takePlaces(_ requests: [AcquireRequest], _ answers: [AcquireAnswer]) {
        guard let line else { return }
        let only = groups.count == 1 ? groups.first : nil
        line.assumeIsolated { line in
            guard let group = only else { return line.leave() }
            for (request, answer) in zip(requests, answers) where request.group == group {
                switch answer {
                case .granted: line.leads(request)
                case .held: line.waits(request)
                case .deferred, .unknown: break
                }
            }
        }
    }

    /// What was granted with these nonces is over.
    func leavePlaces(_ nonces: [Nonce]) {
        line?.assumeIsolated { line in
            for nonce in nonces { line.isOver(nonce) }
        }
    }

    /// The connection on which this process was just told that the lease was given back: its session is awake.
    var linkOfNext: PostgresLink? { line?.assumeIsolated { $0.rungLink } }

    private struct Release: Sendable {
        /// Nil if the lease was not held.
        let term: Int64?
        let times: Times
    }

    /// Gives the lease back with the next one waiting behind it, and tells nobody.
    ///
    /// - Returns: nil if nobody can be behind it; else its term, or nil for a lease that was not held.
    func releaseInLine(_ request: ReleaseRequest, _ timeout: Duration) async throws -> Int64?? {
        guard let line else { return nil }
        var parameters = PostgresParameters()
        parameters.add(request.group.name)
        parameters.add(request.nonce)
        parameters.add(request.term)
        // Not given up when the task is cancelled: that would cost the connection.
        let outcome: Result<Release, any Error>? = await withCheckedContinuation { continuation in
            let isSent = line.assumeIsolated { line in
                line.release(request.nonce, { [parameters] in $0.releaseUntold.with(parameters) }, timeout: timeout) {
                    outcome in
                    continuation.resume(
                        returning: Result {
                            let reply = try outcome.get()
                            let times = try Times(of: reply, mayBeEmpty: true)
                            return Release(term: reply.result.integer(0, 1), times: times)
                        }
                    )
                }
            }
            if !isSent { continuation.resume(returning: nil) }
        }
        guard let release = try outcome?.get() else { return nil }
        saw(release.times)
        return .some(release.term)
    }
}
#endif
