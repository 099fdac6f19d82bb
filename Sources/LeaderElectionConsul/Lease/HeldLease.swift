// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// A lease that this provider was granted, as far as it knows.
struct HeldLease: Hashable, Sendable {
    var nonce: Nonce
    var term: Int64
    /// When the entry was last changed by us.
    var index: UInt64
    /// The session that holds it; nil where candidates time the lease.
    var session: String?
    /// What the entry holds; nil for a session's, whose entry is never rewritten.
    var record: StoredRecord?

    /// Whether an entry is still what we wrote, or what a renewal under way may have made of it.
    func isShown(by entry: KVEntry) -> Bool {
        if let session { return entry.modifyIndex == index && entry.session == session }
        return entry.session == nil && (entry.modifyIndex == index || StoredRecord(entry.value)?.nonce == nonce)
    }
}
#endif
