// SPDX-License-Identifier: MIT

package import LeaderElection

/// Notices when the wall clock of a server jumps forward.
///
/// A server that ends leases by its wall clock ends all of them too early when that clock is set forward: their holders
/// still lead by clocks that did not jump. After a jump nobody may trust an expiry for as long as a lease from before
/// it can last; challengers then watch records stay unchanged on their own clocks instead (SAFETY 2.1).
///
/// What a server's clock shows is only known to lie between two readings of ours, so the guard keeps the *latest*
/// credible difference between the two clocks: latency can make it miss a small jump, but never see one that was none.
package struct ServerClockGuard: Sendable {
    /// Clocks may be slewed by this much without anything being wrong: 500 ppm by NTP on either side.
    private static let slewRate = 0.001

    private var sample: (latestDifference: Int64, received: ElectionInstant)?
    private var roundTrip = Duration.zero
    private var authority: String?
    private var suspectUntil = ElectionInstant.distantPast

    package init() {}

    /// How far a server's clock may run ahead unnoticed: `max(250 ms, 5 % of the lease)`.
    package static func tolerance(forLease lease: Duration) -> Duration { max(.milliseconds(250), lease / 20) }

    /// Takes note of what the server's clock showed between two readings of ours.
    ///
    /// - Parameters:
    ///   - serverNanoseconds: the server's wall clock, since any epoch.
    ///   - longestLease: for how long a lease from before a jump can still be relied on by its holder.
    /// - Returns: how far the clock jumped forward, if it did.
    package mutating func observe(
        serverNanoseconds: Int64,
        sent: ElectionInstant,
        received: ElectionInstant,
        longestLease: Duration
    ) -> Duration? {
        roundTrip = received - sent
        let latest = serverNanoseconds - sent.nanoseconds
        let earliest = serverNanoseconds - received.nanoseconds
        defer { sample = (latest, received) }
        guard let sample else { return nil }
        let slew = (received - sample.received) * Self.slewRate
        let jump = Duration.nanoseconds(earliest - sample.latestDifference) - slew
        guard jump > Self.tolerance(forLease: longestLease) else { return nil }
        suspectUntil = max(suspectUntil, received + longestLease * 1.1 + .milliseconds(100))
        return jump
    }

    /// Whether the server's clock jumped so recently that leases from before the jump may still be relied on.
    package func isSuspect(at now: ElectionInstant) -> Bool { now < suspectUntil }

    /// The latest time that the server's clock can credibly show while it carries out a request sent now.
    ///
    /// Send it along: the server itself then refuses to end a lease by a clock that has jumped since we last saw it.
    /// Nil while nothing is known about the server's clock. While it is suspect: a time that is always over.
    package func latestCredibleServerTime(at now: ElectionInstant, lease: Duration) -> Int64? {
        guard !isSuspect(at: now) else { return 0 }
        guard let sample else { return nil }
        let slew = (now - sample.received) * Self.slewRate
        let allowance = slew + Self.tolerance(forLease: lease) + roundTrip * 2
        return now.nanoseconds + sample.latestDifference + allowance.wholeNanoseconds
    }

    /// Takes note of which authority answers from now on; nil if that cannot be told, or makes no difference.
    package mutating func connected(to authority: String?) {
        guard let authority else { return }
        if let former = self.authority, former != authority { serverChanged() }
        self.authority = authority
    }

    /// Forgets the clock of a server that is not the one any more, but not that a lease may still be relied on.
    package mutating func serverChanged() {
        sample = nil
        roundTrip = .zero
    }
}
