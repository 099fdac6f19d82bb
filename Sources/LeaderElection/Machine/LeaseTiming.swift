// SPDX-License-Identifier: MIT

/// The intervals of one configuration, resolved and checked against each other.
package struct LeaseTiming: Hashable, Sendable {
    /// T: the lease as it is asked for.
    package let leaseDuration: Duration
    /// R: from one renewal to the next, of a lease as it was asked for.
    package let renewInterval: Duration
    /// A: one call to the store.
    package let attemptTimeout: Duration
    package let gracePeriod: Duration
    package let retryInterval: Duration
    package let shutdownTimeout: Duration
    /// ρ: how far a clock's rate may be off.
    package let drift: Double

    /// Refuses values that contradict each other, naming both.
    package init(_ configuration: ElectionConfiguration) throws {
        func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
            guard condition else { throw ElectionError(.invalidConfiguration, message()) }
        }
        leaseDuration = configuration.leaseDuration
        drift = configuration.clockDriftBound
        try require(
            (Duration.seconds(1)...Duration.seconds(86_400)).contains(leaseDuration),
            "leaseDuration \(leaseDuration.text()) is out of range; use 1 second to 1 day"
        )
        try require((0...0.05).contains(drift), "clockDriftBound \(drift) is out of range; use 0 to 0.05")
        let validity = Self.validity(ofLease: leaseDuration, drift: drift)
        renewInterval = configuration.renewInterval ?? validity / 3
        attemptTimeout = configuration.attemptTimeout ?? leaseDuration / 6
        gracePeriod = configuration.gracePeriod
        retryInterval = configuration.retryInterval ?? max(leaseDuration, .seconds(30))
        shutdownTimeout = configuration.shutdownTimeout ?? leaseDuration
        try require(
            renewInterval >= .milliseconds(10),
            "renewInterval \(renewInterval.text()) is too short; use at least 10 milliseconds"
        )
        try require(
            attemptTimeout >= .milliseconds(10),
            "attemptTimeout \(attemptTimeout.text()) is too short; use at least 10 milliseconds"
        )
        try require(
            renewInterval <= validity / 3,
            """
            renewInterval \(renewInterval.text()) is too long for leaseDuration \(leaseDuration.text()); \
            use at most \((validity / 3).text(isRoundedDown: true))
            """
        )
        try require(gracePeriod >= .zero, "gracePeriod \(gracePeriod.text()) is negative; use 0 for none")
        try require(
            renewInterval + attemptTimeout * 2 + gracePeriod < validity,
            """
            renewInterval \(renewInterval.text()), twice attemptTimeout \(attemptTimeout.text()) and gracePeriod \
            \(gracePeriod.text()) do not fit into the \(validity.text()) that leaseDuration \(leaseDuration.text()) is \
            good for; shorten them or use a longer lease
            """
        )
        try require(
            retryInterval >= .milliseconds(100),
            """
            retryInterval \(retryInterval.text()) is too short; use at least 100 milliseconds: hand-over is pushed, not \
            polled
            """
        )
        try require(
            shutdownTimeout >= .zero,
            "shutdownTimeout \(shutdownTimeout.text()) is negative; use 0 to not wait"
        )
    }

    /// V: how long a lease may be relied on, counted from before the request: `T·(1 − 2ρ) − max(100 ms, T/20)`.
    package func validity(ofLease lease: Duration) -> Duration {
        Self.validity(ofLease: lease, drift: drift)
    }

    private static func validity(ofLease lease: Duration, drift: Double) -> Duration {
        lease * (1 - 2 * drift) - margin(ofLease: lease)
    }

    /// W: how long a challenger must have watched a lease unchanged before it may take it over: `T·(1 + 2ρ) + m`.
    package func observation(ofLease lease: Duration) -> Duration {
        lease * (1 + 2 * drift) + Self.margin(ofLease: lease)
    }

    /// How far the wall clock may run ahead of a lease before it counts as the trace of a pause.
    package func wallSlack(ofLease lease: Duration) -> Duration { max(.seconds(1), lease / 10) }

    /// How often a lease of this length is renewed: R, and where the store granted less than was asked for, at most a
    /// third of what that is good for.
    ///
    /// In steps of a sixteenth, so that groups whose leases differ a little still renew together.
    package func renewInterval(ofLease lease: Duration) -> Duration {
        guard lease < leaseDuration else { return renewInterval }
        let limit = max(usableTime(ofLease: lease).wholeNanoseconds / 3, 10_000_000)
        var interval = renewInterval.wholeNanoseconds
        while interval > limit { interval -= (interval + 15) / 16 }
        return .nanoseconds(interval)
    }

    /// How long one renewal of such a lease may take: A, or what leaves time to try again twice.
    package func renewTimeout(ofLease lease: Duration) -> Duration {
        guard lease < leaseDuration else { return attemptTimeout }
        return min(attemptTimeout, .nanoseconds(max(usableTime(ofLease: lease).wholeNanoseconds / 5, 10_000_000)))
    }

    /// The part of a lease in which work may go on.
    private func usableTime(ofLease lease: Duration) -> Duration {
        let validity = validity(ofLease: lease)
        return gracePeriod < validity ? validity - gracePeriod : validity
    }

    private static func margin(ofLease lease: Duration) -> Duration {
        max(.milliseconds(100), .nanoseconds(lease.wholeNanoseconds / 20))
    }
}
