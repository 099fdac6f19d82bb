// SPDX-License-Identifier: MIT

/// The rules of a store as plain values: what every other provider can be compared with.
///
/// A record is never removed, so terms persist; a lease whose time is up stays in its record until somebody takes it
/// over, and counts as free from its deadline on.
package struct InMemoryLeaseTable: Sendable {
    /// A lease that was granted and not released.
    package struct Lease: Hashable, Sendable {
        package var nonce: Nonce
        package var holder: Candidate
        package var leaseDuration: Duration
        package var sequence: Int64
        package var deadline: ElectionInstant
    }

    /// All that is known of one group.
    package struct Record: Hashable, Sendable {
        package var term: Int64
        package var lease: Lease?

        package func standingLease(at now: ElectionInstant) -> Lease? {
            lease.flatMap { now < $0.deadline ? $0 : nil }
        }
    }

    /// What an operation changed, for those who wait.
    package enum Change: Hashable, Sendable {
        case none
        /// The lease stands until the instant given, unless it is prolonged.
        case prolonged(until: ElectionInstant)
        /// A lease that stood until then was taken over.
        case changedHands(until: ElectionInstant)
        case released
    }

    package private(set) var records: [ElectionGroup: Record] = [:]

    package init() {}

    /// - Parameter floor: the wall clock in milliseconds: terms keep growing even if the records are lost.
    package mutating func acquire(
        _ request: AcquireRequest,
        at now: ElectionInstant,
        floor: Int64
    ) -> (AcquireAnswer, Change) {
        let record = records[request.group]
        let standing = record?.standingLease(at: now)
        if let record, var lease = standing {
            if lease.nonce == request.nonce {
                lease.prolong(by: request.leaseDuration, at: now)
                records[request.group]?.lease = lease
                return (
                    .granted(term: record.term, leaseDuration: request.leaseDuration), .prolonged(until: lease.deadline)
                )
            }
            let version = LeaseVersion(term: record.term, sequence: lease.sequence)
            guard request.previousNonce == lease.nonce || request.observed == version else {
                return (.held(lease.seen(term: record.term, at: now)), .none)
            }
        }
        let term = max((record?.term ?? 0) + 1, floor)
        let lease = Lease(
            nonce: request.nonce,
            holder: request.candidate,
            leaseDuration: request.leaseDuration,
            sequence: 0,
            deadline: now + request.leaseDuration
        )
        records[request.group] = Record(term: term, lease: lease)
        return (
            .granted(term: term, leaseDuration: request.leaseDuration),
            standing == nil ? .prolonged(until: lease.deadline) : .changedHands(until: lease.deadline)
        )
    }

    package mutating func renew(_ request: RenewRequest, at now: ElectionInstant) -> (RenewAnswer, Change) {
        guard let record = records[request.group], var lease = record.standingLease(at: now) else {
            return (.lost(nil), .none)
        }
        guard record.term == request.term, lease.nonce == request.nonce else {
            return (.lost(lease.seen(term: record.term, at: now)), .none)
        }
        lease.prolong(by: request.leaseDuration, at: now)
        records[request.group]?.lease = lease
        return (.renewed(leaseDuration: request.leaseDuration), .prolonged(until: lease.deadline))
    }

    package mutating func release(_ request: ReleaseRequest, at now: ElectionInstant) -> (ReleaseAnswer, Change) {
        guard let record = records[request.group], let lease = record.standingLease(at: now),
            lease.nonce == request.nonce, request.term.map({ $0 == record.term }) ?? true
        else { return (.notHeld, .none) }
        records[request.group]?.lease = nil
        return (.released, .released)
    }

    package mutating func transfer(
        _ request: TransferRequest,
        at now: ElectionInstant,
        floor: Int64
    ) -> (TransferAnswer, Change) {
        guard let record = records[request.group], let lease = record.standingLease(at: now),
            lease.nonce == request.nonce, record.term == request.term
        else { return (.notHeld, .none) }
        // Transferred to itself, a lease is a new grant all the same: the old term is over.
        let term = max(record.term + 1, floor)
        let heirs = Lease(
            nonce: request.heirNonce,
            holder: request.heir,
            leaseDuration: request.leaseDuration,
            sequence: 0,
            deadline: now + request.leaseDuration
        )
        records[request.group] = Record(term: term, lease: heirs)
        return (.transferred(term: term), .changedHands(until: heirs.deadline))
    }

    package func holder(of group: ElectionGroup, at now: ElectionInstant) -> HolderAnswer {
        guard let record = records[group] else { return .free(lastTerm: nil) }
        guard let lease = record.standingLease(at: now) else { return .free(lastTerm: record.term) }
        return .held(lease.seen(term: record.term, at: now))
    }

    package mutating func removeAll() {
        records = [:]
    }
}

extension InMemoryLeaseTable.Lease {
    fileprivate mutating func prolong(by duration: Duration, at now: ElectionInstant) {
        // Never earlier than before: the holder counts on every deadline that it was ever given.
        deadline = max(deadline, now + duration)
        leaseDuration = duration
        sequence += 1
    }

    fileprivate func seen(term: Int64, at now: ElectionInstant) -> LeaseRecord {
        LeaseRecord(
            term: term,
            holder: holder,
            leaseDuration: leaseDuration,
            sequence: sequence,
            remaining: deadline - now
        )
    }
}
