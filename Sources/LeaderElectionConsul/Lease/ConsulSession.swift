// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// A session, and since when it is certain to live for a whole lease.
struct ConsulSession: Hashable, Sendable {
    var id: String
    /// When the last request was sent that created or renewed it: Consul counts from no earlier moment.
    var provenAt: ElectionInstant
}
#endif
