// SPDX-License-Identifier: MIT

/// Asks for the lease of one group.
public struct AcquireRequest: Hashable, Sendable {
    /// The group to lead.
    public var group: ElectionGroup
    /// Who asks; written into the record for others to read.
    public var candidate: Candidate
    /// Identifies the lease that is asked for; repeated unchanged when the outcome of an attempt stayed unknown.
    public var nonce: Nonce
    /// A lease of our own that ended without a confirmed release; if it still stands, it is ours to replace.
    public var previousNonce: Nonce?
    /// The version of a foreign lease that was watched unchanged long enough to be taken over.
    public var observed: LeaseVersion?
    /// How long the lease is to last without renewal.
    public var leaseDuration: Duration
    /// How long the caller will wait for the answer; a bound for the store's own time-outs.
    public var timeout: Duration

    /// A request for one group.
    public init(
        group: ElectionGroup,
        candidate: Candidate,
        nonce: Nonce,
        previousNonce: Nonce? = nil,
        observed: LeaseVersion? = nil,
        leaseDuration: Duration,
        timeout: Duration
    ) {
        self.group = group
        self.candidate = candidate
        self.nonce = nonce
        self.previousNonce = previousNonce
        self.observed = observed
        self.leaseDuration = leaseDuration
        self.timeout = timeout
    }
}

/// What came of an ``AcquireRequest``.
public enum AcquireAnswer: Sendable {
    /// The lease is held by the request's nonce, for the duration that the store really enforces.
    case granted(term: Int64, leaseDuration: Duration)
    /// Another candidate holds it.
    case held(LeaseRecord)
    /// Nobody may take it now, for a reason worth telling; ask again after the given time, or when a hint comes.
    case deferred(retryAfter: Duration, reason: String)
    /// The outcome is not known: the request may have been applied or not.
    case unknown(any Error)
}
