// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

extension PostgresStore {
    /// Where nothing is pushed: looks, with one statement, which of these were given back, and tells of each of them once.
    ///
    /// A lease that ran out is not looked for: whoever waits for it knows when.
    func lookForReleases(of groups: [ElectionGroup]) {
        guard !groups.isEmpty else { return }
        var parameters = PostgresParameters()
        parameters.add(texts: groups.map(\.name))
        let timeout = attemptTimeout
        work.assumeIsolated { work in
            // Should it fail, there is another look soon.
            work.run({ [parameters] in $0.released.with(parameters) }, timeout: timeout) { [weak self] outcome in
                guard case .success(let reply) = outcome else { return }
                let found = reply.result.integers(of: groups)
                self?.assumeIsolated { $0.saw(released: found) }
            }
        }
    }

    private func saw(released found: [ElectionGroup: Int64]) {
        let former = seenReleased
        seenReleased = found
        // Everybody looks at another instant: there is no crowd.
        for (group, term) in found where former[group] != term { subscribers.send(.freed(group, listeners: 1)) }
    }
}

extension PQResult {
    /// What the second column says of the groups whose numbers, from 1, are in the first.
    func integers(of groups: [ElectionGroup]) -> [ElectionGroup: Int64] {
        var found: [ElectionGroup: Int64] = [:]
        for row in 0..<rowCount {
            let index = Int(integer(row, 0) ?? 0) - 1
            if groups.indices.contains(index) { found[groups[index]] = integer(row, 1) }
        }
        return found
    }
}
#endif
