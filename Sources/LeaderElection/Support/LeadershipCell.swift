// SPDX-License-Identifier: MIT

internal import Synchronization

/// The one place where "do I lead?" is answered, from any thread, by reading clocks.
///
/// Only the engine begins, extends and ends a claim; anybody reads. A reader that finds the claim over *ends* it by the
/// same atomic exchange by which an extension would prolong it, so exactly one of the two happens: once anybody was
/// told "no" for a term, it never reads "yes" again, whatever answer of the store was under way.
final class LeadershipCell: Sendable {
    /// No claim; the machine did not exist at that instant.
    private static let none: Int64 = 0

    private let clock: any ElectionClock
    private let usesSystemClock: Bool
    /// The boot-clock nanosecond at which the claim ends; written last when a claim begins: it publishes the rest.
    private let deadlineNanoseconds = Atomic<Int64>(LeadershipCell.none)
    /// Wall-clock nanoseconds from which on the claim is void; see ``ElectionClock/wallNanoseconds``.
    private let wallLimit = Atomic<Int64>(0)
    private let claimedTerm = Atomic<Int64>(0)

    init(clock: any ElectionClock) {
        self.clock = clock
        usesSystemClock = clock is SystemClock
    }

    var now: ElectionInstant { clock.now }

    /// Whether there is a claim at this moment.
    var leads: Bool { liveDeadline != nil }

    /// The term that leads at this moment.
    var term: Int64? {
        while true {
            let term = claimedTerm.load(ordering: .acquiring)
            guard leads else { return nil }
            // Terms are never used twice: unchanged means that the deadline was this term's.
            if claimedTerm.load(ordering: .acquiring) == term { return term }
        }
    }

    func leads(_ term: Int64) -> Bool { self.term == term }

    func deadline(of term: Int64) -> ElectionInstant? {
        guard claimedTerm.load(ordering: .acquiring) == term, let deadline = liveDeadline, leads(term) else {
            return nil
        }
        return ElectionInstant(nanoseconds: deadline)
    }

    /// Begins a term, after the one before was relinquished.
    func lead(term: Int64, until deadline: ElectionInstant, wallLimit limit: Int64) {
        relinquish()
        claimedTerm.store(term, ordering: .releasing)
        wallLimit.store(limit, ordering: .releasing)
        deadlineNanoseconds.store(deadline.nanoseconds, ordering: .releasing)
    }

    /// Prolongs a term that still leads; false if it does not any more.
    func extend(term: Int64, until deadline: ElectionInstant, wallLimit limit: Int64) -> Bool {
        while leads(term), let current = liveDeadline {
            guard deadline.nanoseconds > current else { return true }
            // Before the deadline: a reader that sees the new one must not judge it by the old limit.
            wallLimit.store(limit, ordering: .releasing)
            if replace(current, by: deadline.nanoseconds) { return true }
        }
        return false
    }

    /// Ends whatever term there is: from here on every reader sees "no".
    func relinquish() {
        deadlineNanoseconds.store(Self.none, ordering: .releasing)
    }

    /// The deadline of the claim, unless it has passed: then the claim is ended here and now.
    private var liveDeadline: Int64? {
        while true {
            let deadline = deadlineNanoseconds.load(ordering: .acquiring)
            guard deadline != Self.none else { return nil }
            if isBefore(deadline, wallLimit: wallLimit.load(ordering: .acquiring)) { return deadline }
            if replace(deadline, by: Self.none) { return nil }
        }
    }

    private func isBefore(_ deadline: Int64, wallLimit: Int64) -> Bool {
        // The same reads twice: without the detour through the protocol they cost two thirds.
        if usesSystemClock {
            return ElectionInstant.now.nanoseconds < deadline && SystemClock().wallNanoseconds < wallLimit
        }
        return clock.now.nanoseconds < deadline && clock.wallNanoseconds < wallLimit
    }

    private func replace(_ old: Int64, by new: Int64) -> Bool {
        deadlineNanoseconds.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing).exchanged
    }
}
