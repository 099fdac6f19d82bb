// SPDX-License-Identifier: MIT
#if Postgres
internal import ElectionStores
internal import LeaderElection

extension PQResult {
    /// The holder of a lease from seven columns: term, holder, incarnation, metadata, lease, sequence, time left.
    ///
    /// - Parameter isDoubted: whether the server's clock may have jumped, so that the time left says nothing.
    /// - Throws: ``/LeaderElection/ElectionError/Code/storeCorrupted`` for values that no provider writes.
    func record(_ row: Int, from column: Int, isDoubted: Bool) throws -> LeaseRecord {
        guard let term = integer(row, column), term > 0, term < .max,
            let id = text(row, column + 1), let incarnation = nonce(row, column + 2),
            let metadata = MetadataText.decode(text(row, column + 3) ?? "{}"),
            let lease = integer(row, column + 4), lease >= 0, let sequence = integer(row, column + 5)
        else {
            throw ElectionError(
                .storeCorrupted,
                "the row of the lease holds values that no election writes; correct or delete it"
            )
        }
        let left = integer(row, column + 6).map { Duration.microseconds($0) }
        return LeaseRecord(
            term: term,
            holder: Candidate(id: id, incarnation: incarnation, metadata: metadata),
            leaseDuration: .milliseconds(lease),
            sequence: sequence,
            remaining: isDoubted ? nil : left,
            isObserverTimed: isDoubted
        )
    }
}

extension Duration {
    /// Rounded up, so that a challenger who goes by it never waits too short a time.
    var wholeMilliseconds: Int64 {
        let nanoseconds = wholeNanoseconds
        return nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0)
    }
}
#endif
