// SPDX-License-Identifier: MIT

/// A store in which a holder can move its lease to a candidate of its choice.
///
/// What every implementation promises:
/// - **One atomic operation of the store**, conditional on `(nonce, term)` of a lease whose time is not up. Nobody else can
///   get the lease between the old holder and the heir.
/// - **The heir's lease is a new grant**: its term is larger than every earlier one of the group, and it lasts
///   ``TransferRequest/leaseDuration`` from the transfer. The heir learns of it by asking: an ``AcquireRequest`` with
///   ``TransferRequest/heirNonce`` is answered `.granted` with that term. If it never asks, the lease runs out like any
///   other.
/// - **The heir is told**: a ``ProviderHint/changed(_:)`` of the group reaches whoever listens, where the store can push.
/// - The old holder's lease is over in the same instant: it must have relinquished before it asks.
///
/// A store whose leases belong to the kernel cannot hold one for another process. It keeps everybody else off for a
/// bounded time instead, and the grant comes with the heir's request; until then the group is read as free.
public protocol TransferringProvider: ElectionProvider {
    /// Moves each lease that `(nonce, term)` still holds.
    func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer]
}

/// Moves one lease to another candidate.
public struct TransferRequest: Hashable, Sendable {
    /// The group that is led.
    public var group: ElectionGroup
    /// The nonce of the lease.
    public var nonce: Nonce
    /// The term of the lease.
    public var term: Int64
    /// Who is to hold it; written into the record for others to read.
    public var heir: Candidate
    /// The nonce with which the heir asks for the lease at present.
    public var heirNonce: Nonce
    /// How long the heir's lease is to last without renewal.
    public var leaseDuration: Duration
    /// How long the caller will wait for the answer.
    public var timeout: Duration

    /// A request for one group.
    public init(
        group: ElectionGroup,
        nonce: Nonce,
        term: Int64,
        heir: Candidate,
        heirNonce: Nonce,
        leaseDuration: Duration,
        timeout: Duration
    ) {
        self.group = group
        self.nonce = nonce
        self.term = term
        self.heir = heir
        self.heirNonce = heirNonce
        self.leaseDuration = leaseDuration
        self.timeout = timeout
    }
}

/// What came of a ``TransferRequest``.
public enum TransferAnswer: Sendable {
    /// The heir holds the lease, in this term where the store tells it.
    case transferred(term: Int64?)
    /// The lease was not this nonce's (any more): nothing was changed.
    case notHeld
    /// The store will not give it to this heir, for a reason worth telling; nothing was changed.
    case refused(reason: String)
    /// The outcome is not known; whoever asked no longer leads either way.
    case unknown(any Error)
}
