// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// How much of the time goes into reading what changes: every answer holds all entries, however little is new in it.
///
/// A single change is read at once, however many entries there are. What changes all the time is read with pauses.
struct ReadingBudget: Sendable {
    /// A ninth of the time is spent on reading, on the average.
    private static var rest: Int { 8 }
    /// What may be saved up while nothing changes.
    private static var savings: Duration { .milliseconds(200) }
    private static var longestPause: Duration { .seconds(1) }

    private var balance = savings
    private var settled = ElectionInstant.distantPast

    /// - Parameter cost: how long it took to read an answer, until now.
    /// - Returns: how long to wait before the next one is asked for.
    mutating func spend(_ cost: Duration, at now: ElectionInstant) -> Duration {
        let rested = max(.zero, now - settled - cost) / Self.rest
        settled = now
        // Debts beyond the longest pause are let off.
        balance = max(min(Self.savings, balance + rested) - cost, Self.longestPause / -Self.rest)
        return max(.zero, balance * -Self.rest)
    }
}
#endif
