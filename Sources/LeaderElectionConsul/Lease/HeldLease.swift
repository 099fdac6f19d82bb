// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// A lease that this provider was granted, as far as it knows; small, because there may be ten thousand.
struct HeldLease: Hashable, Sendable {
    /// What keeps the lease.
    enum Keeper: Hashable, Sendable {
        /// A session, whose entry is never rewritten.
        case session(String)
        /// The other candidates, who watch the entry change; with what it holds now.
        indirect case candidates(StoredRecord)
    }

    var nonce: Nonce
    var term: Int64
    /// When the entry was last changed by us.
    var index: UInt64
    var keeper: Keeper

    /// Nil where candidates time the lease.
    var session: String? { if case .session(let id) = keeper { id } else { nil } }
}
#endif
