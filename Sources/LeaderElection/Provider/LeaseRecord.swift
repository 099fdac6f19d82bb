// SPDX-License-Identifier: MIT

/// A lease as the store holds it and as others may read it.
public struct LeaseRecord: Hashable, Sendable {
    /// The fencing token of this grant.
    public var term: Int64
    /// Who holds it.
    public var holder: Candidate
    /// The lease that the holder asked for; challengers that time it themselves use this, not their own setting.
    public var leaseDuration: Duration
    /// How often this grant was renewed; `(term, sequence)` unchanged means that the holder was silent.
    public var sequence: Int64
    /// An upper bound of the time left by the store's clock; nil if no time ends it or the store cannot tell.
    public var remaining: Duration?
    /// The store cannot time this record, for instance after a reboot: a challenger must watch it stay unchanged.
    public var isObserverTimed: Bool
    /// How long this provider itself has seen ``version`` unchanged, by a push channel that misses no change.
    ///
    /// Zero if it has only read it now. A challenger that times the record begins its count where the provider did.
    public var unchangedFor: Duration

    /// A record as read from a store.
    public init(
        term: Int64,
        holder: Candidate,
        leaseDuration: Duration,
        sequence: Int64 = 0,
        remaining: Duration? = nil,
        isObserverTimed: Bool = false,
        unchangedFor: Duration = .zero
    ) {
        self.term = term
        self.holder = holder
        self.leaseDuration = leaseDuration
        self.sequence = sequence
        self.remaining = remaining
        self.isObserverTimed = isObserverTimed
        self.unchangedFor = unchangedFor
    }

    /// What changes whenever the holder shows a sign of life.
    public var version: LeaseVersion { LeaseVersion(term: term, sequence: sequence) }
}

/// The state of a lease that a challenger may have seen unchanged for a whole lease.
public struct LeaseVersion: Hashable, Sendable {
    /// The term of the record.
    public var term: Int64
    /// The number of renewals of the record.
    public var sequence: Int64

    /// A version as read from a record.
    public init(term: Int64, sequence: Int64) {
        self.term = term
        self.sequence = sequence
    }
}
