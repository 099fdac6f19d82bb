// SPDX-License-Identifier: MIT

internal import Synchronization

/// The one place where "do I lead?" is answered, from any thread, by reading clocks.
///
/// Answers and extensions both read the clock while they hold the lock. So once anybody was told "no" for a term,
/// no extension can make it "yes" again: the extension finds the deadline passed as well.
final class LeadershipCell: Sendable {
    private struct Claim {
        var term: Int64
        var deadline: ElectionInstant
        /// Wall-clock nanoseconds from which on the claim is void; see ``ElectionClock/wallNanoseconds``.
        var wallLimit: Int64
    }

    private let clock: any ElectionClock
    private let claim = Mutex<Claim?>(nil)

    init(clock: any ElectionClock) {
        self.clock = clock
    }

    var now: ElectionInstant { clock.now }

    /// The term that leads at this moment.
    var term: Int64? {
        claim.withLock { claim in
            guard let current = claim, clock.now < current.deadline else { return nil }
            guard clock.wallNanoseconds < current.wallLimit else {
                // Stays void even if the wall clock steps back: a term that read as ended never leads again.
                claim = nil
                return nil
            }
            return current.term
        }
    }

    func leads(_ term: Int64) -> Bool { self.term == term }

    func deadline(of term: Int64) -> ElectionInstant? {
        guard leads(term) else { return nil }
        return claim.withLock { $0?.term == term ? $0?.deadline : nil }
    }

    /// Begins a term.
    func lead(term: Int64, until deadline: ElectionInstant, wallLimit: Int64) {
        claim.withLock { $0 = Claim(term: term, deadline: deadline, wallLimit: wallLimit) }
    }

    /// Prolongs a term that still leads; false if it does not any more.
    func extend(term: Int64, until deadline: ElectionInstant, wallLimit: Int64) -> Bool {
        claim.withLock { claim in
            guard let current = claim, current.term == term, clock.now < current.deadline,
                clock.wallNanoseconds < current.wallLimit
            else {
                claim = nil
                return false
            }
            if deadline > current.deadline {
                claim = Claim(term: term, deadline: deadline, wallLimit: wallLimit)
            }
            return true
        }
    }

    /// Ends whatever term there is: from here on every reader sees "no".
    func relinquish() {
        claim.withLock { $0 = nil }
    }
}
