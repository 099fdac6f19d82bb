// SPDX-License-Identifier: MIT

/// Why leadership changed; compare with the static members.
public struct ElectionReason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The name that logs and the `elect` command print.
    public let rawValue: String

    /// A reason of the given name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The name.
    public var description: String { rawValue }

    /// Nothing has changed yet: the first element of a stream of changes.
    public static let initial = Self(rawValue: "initial")
    /// A candidate won the election.
    public static let elected = Self(rawValue: "elected")
    /// The leader could not prolong its lease in time, or was paused for longer than it lasts.
    public static let expired = Self(rawValue: "expired")
    /// The store says that the lease is not ours any more.
    public static let superseded = Self(rawValue: "superseded")
    /// The leader gave the lease back on request.
    public static let resigned = Self(rawValue: "resigned")
    /// The leader handed the lease to another candidate.
    public static let transferred = Self(rawValue: "transferred")
    /// An operator took leadership away without waiting for the leader's work.
    public static let evicted = Self(rawValue: "evicted")
    /// The leader was suspended: it takes no part until it is resumed.
    public static let suspended = Self(rawValue: "suspended")
    /// The leader's own health check failed.
    public static let unhealthy = Self(rawValue: "unhealthy")
    /// The service of the leader was stopped.
    public static let stopped = Self(rawValue: "stopped")
    /// The wall clock went further than the monotonic one: the process may have been paused unseen.
    public static let clockJumped = Self(rawValue: "clock-jumped")
    /// The store shows that nobody leads.
    public static let vacant = Self(rawValue: "vacant")
}
