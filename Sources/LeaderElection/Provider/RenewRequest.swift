// SPDX-License-Identifier: MIT

/// Asks to prolong one lease.
public struct RenewRequest: Hashable, Sendable {
    /// The group that is led.
    public var group: ElectionGroup
    /// The nonce of the lease.
    public var nonce: Nonce
    /// The term of the lease.
    public var term: Int64
    /// How long the lease is to last from now.
    public var leaseDuration: Duration
    /// How long the caller will wait for the answer.
    public var timeout: Duration

    /// A request for one group.
    public init(group: ElectionGroup, nonce: Nonce, term: Int64, leaseDuration: Duration, timeout: Duration) {
        self.group = group
        self.nonce = nonce
        self.term = term
        self.leaseDuration = leaseDuration
        self.timeout = timeout
    }
}

/// What came of a ``RenewRequest``.
public enum RenewAnswer: Sendable {
    /// The lease lasts the given time from the instant before the request was sent.
    case renewed(leaseDuration: Duration)
    /// The lease is not this nonce's any more; with the record of the new holder where it is known.
    case lost(LeaseRecord?)
    /// The outcome is not known; the lease is neither prolonged nor over.
    case unknown(any Error)
}
