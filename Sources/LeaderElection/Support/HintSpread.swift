// SPDX-License-Identifier: MIT

/// When to act on a hint that many processes hear at the same instant.
///
/// A handful may all ask at once: that is the fastest. When hundreds do, the store works through all of their requests
/// before the winner is told, so only a few, drawn by lot, go at once; the others look soon after, spread in time, and
/// mostly find the new leader. If none of the few wants the lease, or was alive to hear, one of the others takes it
/// some milliseconds later.
package enum HintSpread {
    /// Up to so many go at once without drawing lots.
    package static var unspread: Int { 8 }
    /// How many of a larger number go at once, on average: one may not want the lease, or may be gone.
    package static var drawn: Int { 3 }
    /// Where the store itself can tell some before others: how many channels a crowd is divided among.
    package static var lots: Int { 16 }
    /// How long those have who were told first, before all are told.
    package static var headStart: Duration { .milliseconds(5) }
    private static var longest: Duration { .milliseconds(250) }

    /// How long to wait before asking for a lease that was given back.
    package static func delay(afterRelease listeners: Int, using random: inout some RandomNumberGenerator) -> Duration {
        delay(afterRelease: listeners, unspread: unspread, settling: .milliseconds(2), using: &random)
    }

    /// The same for a store in which asking in vain costs more.
    ///
    /// - Parameters:
    ///   - unspread: up to so many go at once without drawing lots.
    ///   - settling: how long it takes, as a rule, until all have heard who was granted the lease.
    package static func delay(
        afterRelease listeners: Int,
        unspread: Int,
        settling: Duration,
        using random: inout some RandomNumberGenerator
    ) -> Duration {
        if listeners <= unspread || Int.random(in: 0..<listeners, using: &random) < drawn { return .zero }
        return settling + spread(listeners, using: &random)
    }

    /// How long to wait before looking at a lease that somebody was granted.
    package static func delay(afterGrant listeners: Int, using random: inout some RandomNumberGenerator) -> Duration {
        listeners <= unspread ? .zero : spread(listeners, using: &random)
    }

    private static func spread(_ listeners: Int, using random: inout some RandomNumberGenerator) -> Duration {
        min(longest, .milliseconds(2) * listeners) * Double.random(in: 0..<1, using: &random)
    }
}
