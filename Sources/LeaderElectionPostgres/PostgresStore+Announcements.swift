// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

extension PostgresStore {
    /// Tells the others of a grant, as soon as the candidate that waits for it knows of it.
    ///
    /// A server wakes all who listen before it answers whoever sent the notification: told in the statement that grants,
    /// the winner would come last. If this process ends in between, the others find out by their own timers, when the lease
    /// of before would have ended.
    func announceSoon(_ group: ElectionGroup, _ term: Int64) {
        unannounced[group] = term
        SerialThread.engine.executeLast { [weak self] in
            guard let self else { return }
            self.assumeIsolated { $0.announce(group, term) }
        }
    }

    private func announce(_ group: ElectionGroup, _ term: Int64) {
        // Once given back or moved on, it is no news any more.
        guard unannounced[group] == term else { return }
        unannounced[group] = nil
        var parameters = PostgresParameters()
        parameters.add(group.name)
        parameters.add(term)
        let timeout = attemptTimeout
        work.assumeIsolated { work in
            // Nobody waits for it: a failure ends in timers, too.
            work.run({ [parameters] in $0.announce.with(parameters) }, timeout: timeout) { _ in }
        }
    }
}
#endif
