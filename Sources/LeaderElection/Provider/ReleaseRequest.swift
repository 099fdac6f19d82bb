// SPDX-License-Identifier: MIT

/// Gives one lease back.
public struct ReleaseRequest: Hashable, Sendable {
    /// The group.
    public var group: ElectionGroup
    /// The nonce of the lease.
    public var nonce: Nonce
    /// The term of the lease; nil if the acquisition's outcome stayed unknown: then whatever the nonce holds is freed.
    public var term: Int64?
    /// How long the caller will wait for the answer.
    public var timeout: Duration

    /// A request for one group.
    public init(group: ElectionGroup, nonce: Nonce, term: Int64?, timeout: Duration) {
        self.group = group
        self.nonce = nonce
        self.term = term
        self.timeout = timeout
    }
}

/// What came of a ``ReleaseRequest``.
public enum ReleaseAnswer: Sendable {
    /// The lease is free.
    case released
    /// The lease was not this nonce's (any more): nothing was changed.
    case notHeld
    /// The outcome is not known; asking again is safe.
    case unknown(any Error)
}

/// Who holds a group's lease, as far as the store can tell.
public enum HolderAnswer: Sendable {
    /// Nobody; with the last term granted where the store remembers one.
    case free(lastTerm: Int64?)
    /// Somebody.
    case held(LeaseRecord)
    /// The store could not be read.
    case unknown(any Error)
}
