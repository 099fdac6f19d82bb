// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionStores
internal import LeaderElection

/// One row of `leader_election_lease`, as it was read.
struct LeaseRow {
    static let columns = """
        term, nonce, holder, incarnation, meta, ttl_ms, seq, clock_domain, deadline_ns, process_lock
        """

    let term: Int64
    /// Nil when the lease was released.
    let nonce: Nonce?
    let holder: Candidate?
    let leaseMilliseconds: Int64
    let sequence: Int64
    let clockDomain: String
    let deadline: ElectionInstant
    let processLock: String?

    /// Reads the columns of ``columns``.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/storeCorrupted`` for values that no provider writes.
    init(_ row: SQLiteRow) throws {
        term = row.integer(0)
        nonce = row.nonce(1)
        leaseMilliseconds = row.integer(5)
        sequence = row.integer(6)
        clockDomain = row.text(7) ?? ""
        deadline = ElectionInstant(nanoseconds: row.integer(8))
        processLock = row.text(9)
        guard term > 0, term < .max, leaseMilliseconds >= 0, row.isNull(1) || nonce != nil else {
            throw ElectionError(
                .storeCorrupted,
                "the row of the lease holds values that no election writes; correct or delete it"
            )
        }
        guard nonce != nil else {
            holder = nil
            return
        }
        guard let id = row.text(2), let incarnation = row.nonce(3),
            let metadata = MetadataText.decode(row.text(4) ?? "{}")
        else {
            throw ElectionError(
                .storeCorrupted,
                "the row of the lease does not say properly who holds it; correct or delete it"
            )
        }
        holder = Candidate(id: id, incarnation: incarnation, metadata: metadata)
    }

    /// Whether the holder's time is up by a clock that both can read; false also when no such clock exists.
    func isOver(at now: ElectionInstant, in domain: String) -> Bool {
        clockDomain == domain && deadline <= now
    }

    /// The lease as others may see it; nil when nobody holds it any more.
    func record(at now: ElectionInstant, in domain: String) -> LeaseRecord? {
        guard let holder, !isOver(at: now, in: domain) else { return nil }
        let isTimed = clockDomain == domain
        return LeaseRecord(
            term: term,
            holder: holder,
            leaseDuration: .milliseconds(leaseMilliseconds),
            sequence: sequence,
            remaining: isTimed ? deadline - now : nil,
            isObserverTimed: !isTimed
        )
    }

    /// Whether the row looks free to a request; the write decides for itself again.
    func mayBeTaken(by request: AcquireRequest, at now: ElectionInstant, in domain: String) -> Bool {
        guard let nonce else { return true }
        return nonce == request.nonce || nonce == request.previousNonce || isOver(at: now, in: domain)
            || request.observed == LeaseVersion(term: term, sequence: sequence)
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
