// SPDX-License-Identifier: MIT

/// What the service must do next, in the order given.
package enum ElectionAction: Sendable {
    /// Ask the store for the lease.
    case acquire(Operation, nonce: Nonce, previous: Nonce?, observed: LeaseVersion?)
    /// Ask the store who leads.
    case readHolder(Operation)
    /// Ask the store to prolong the lease, and wait no longer than told.
    case renew(Operation, nonce: Nonce, term: Int64, within: Duration)
    /// Give back whatever the nonce holds.
    case release(Operation, nonce: Nonce, term: Int64?)
    /// Give what the nonce holds to another candidate.
    case transfer(Operation, nonce: Nonce, term: Int64, heir: Heir)
    /// From here on this process leads.
    case lead(term: Int64, until: ElectionInstant, wallLimit: Int64)
    /// The term goes on for longer, if it has not ended meanwhile.
    case extend(term: Int64, until: ElectionInstant, wallLimit: Int64)
    /// From here on this process does not lead: always before the store is told.
    case relinquish(term: Int64)
    /// The work of this term has to end; the term itself goes on until it has.
    case cancelWork(term: Int64)
    /// Tell whoever listens.
    case announce(Announcement)
    /// Nothing is left to be done: `run()` may return.
    case finish

    /// Tells one call to the store from every other, and holds the clocks as read before it was sent.
    package struct Operation: Hashable, Sendable {
        package var id: UInt64
        package var sent: Moment
    }

    /// Who is to lead next, and the nonce with which it asks.
    package struct Heir: Hashable, Sendable {
        package var candidate: Candidate
        package var nonce: Nonce

        package init(candidate: Candidate, nonce: Nonce) {
            self.candidate = candidate
            self.nonce = nonce
        }
    }

    /// What listeners learn.
    package enum Announcement: Sendable {
        case ready
        case acquired(term: Int64, until: ElectionInstant)
        case renewed(term: Int64, until: ElectionInstant)
        case renewalFailed(term: Int64, ElectionError)
        case jeopardy(term: Int64, until: ElectionInstant)
        case recovered(term: Int64, until: ElectionInstant)
        case lost(term: Int64, ElectionReason)
        case leaderChanged(ElectionReason)
        /// The store lets nobody lead, for a reason of its own, and is asked again at that time.
        case deferred(String, retryAt: ElectionInstant)
        /// A transfer has come to its end; nil if the heir holds the lease.
        case transferEnded(ElectionError?)
        case error(ElectionError)
    }
}

/// Both clocks, read together.
package struct Moment: Hashable, Sendable {
    package var now: ElectionInstant
    package var wallNanoseconds: Int64

    package init(now: ElectionInstant, wallNanoseconds: Int64) {
        self.now = now
        self.wallNanoseconds = wallNanoseconds
    }
}
