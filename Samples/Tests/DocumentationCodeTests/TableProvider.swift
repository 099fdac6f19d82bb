// SPDX-License-Identifier: MIT

import LeaderElection
import Synchronization

// The code of the article on writing a provider; `scripts/docs` compares them.

final class TableProvider: ElectionProvider {
    let table: LeaseTable
    let clock: any ElectionClock

    init(table: LeaseTable, clock: any ElectionClock) {
        self.table = table
        self.clock = clock
    }

    let guarantees = ProviderGuarantees(
        exclusion: .processLocal,
        expiry: .serverTimed,
        termSource: "max(last + 1, milliseconds)",
        pushesRelease: false,
        pushesCrash: false
    )

    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        requests.map { request in
            table.update(request.group) { row in
                let now = clock.now
                let isFree = row.nonce == nil || now >= row.deadline || row.nonce == request.previousNonce
                if row.nonce != request.nonce || now >= row.deadline {
                    guard isFree else { return .held(row.record(at: now)) }
                    // Larger than every term before, even if the table was lost meanwhile.
                    row.term = max(row.term + 1, clock.wallNanoseconds / 1_000_000)
                    row.nonce = request.nonce
                    row.holder = request.candidate
                    row.sequence = 0
                }
                row.prolong(by: request.leaseDuration, at: now)
                return .granted(term: row.term, leaseDuration: request.leaseDuration)
            }
        }
    }

    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        requests.map { request in
            table.update(request.group) { row in
                let now = clock.now
                guard row.nonce == request.nonce, row.term == request.term, now < row.deadline else {
                    return .lost(row.nonce == nil || now >= row.deadline ? nil : row.record(at: now))
                }
                row.sequence += 1
                row.prolong(by: request.leaseDuration, at: now)
                return .renewed(leaseDuration: request.leaseDuration)
            }
        }
    }

    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        requests.map { request in
            table.update(request.group) { row in
                // Without a term, whatever the nonce holds is meant.
                guard row.nonce == request.nonce, request.term ?? row.term == row.term, clock.now < row.deadline else {
                    return .notHeld
                }
                // The row stays: its term must never be forgotten.
                row.nonce = nil
                return .released
            }
        }
    }

    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        groups.map { group in
            table.update(group) { row in
                let now = clock.now
                guard row.nonce != nil, now < row.deadline else {
                    return .free(lastTerm: row.term == 0 ? nil : row.term)
                }
                return .held(row.record(at: now))
            }
        }
    }
}

extension TableProvider: TransferringProvider {
    func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        requests.map { request in
            table.update(request.group) { row in
                let now = clock.now
                guard row.nonce == request.nonce, row.term == request.term, now < row.deadline else { return .notHeld }
                // A grant like any other, so that the term grows; the old holder's is over in the same instant.
                row.term = max(row.term + 1, clock.wallNanoseconds / 1_000_000)
                row.nonce = request.heirNonce
                row.holder = request.heir
                row.sequence = 0
                row.prolong(by: request.leaseDuration, at: now)
                return .transferred(term: row.term)
            }
        }
    }
}

final class LeaseTable: Sendable {
    struct Row {
        var term: Int64 = 0
        var nonce: Nonce?
        var holder = Candidate(id: "", incarnation: Nonce(high: 0, low: 0))
        var leaseDuration = Duration.zero
        var deadline = ElectionInstant(nanoseconds: 0)
        var sequence: Int64 = 0

        mutating func prolong(by duration: Duration, at now: ElectionInstant) {
            leaseDuration = duration
            deadline = max(deadline, now.advanced(by: duration))
        }

        func record(at now: ElectionInstant) -> LeaseRecord {
            LeaseRecord(
                term: term,
                holder: holder,
                leaseDuration: leaseDuration,
                sequence: sequence,
                remaining: now.duration(to: deadline)
            )
        }
    }

    private let rows = Mutex<[ElectionGroup: Row]>([:])

    /// One atomic operation, as one statement of a database is.
    func update<Answer>(_ group: ElectionGroup, _ body: (inout Row) -> Answer) -> Answer {
        rows.withLock { rows in
            var row = rows[group] ?? Row()
            defer { rows[group] = row }
            return body(&row)
        }
    }
}
