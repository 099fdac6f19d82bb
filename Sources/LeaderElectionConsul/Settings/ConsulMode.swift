// SPDX-License-Identifier: MIT
#if Consul

/// Who ends the lease of a leader that went silent.
public enum ConsulMode: String, Hashable, Sendable, CaseIterable {
    /// Consul, by a session: leases of 10 s and more. The same keys serve `consul lock` and the lock of Consul's API.
    case session
    /// The other candidates, who watch the leader's entry stay unchanged for a whole lease: leases of 1 s and more.
    case cas
    /// A session for leases of 10 s and more, the other candidates for shorter ones.
    case auto
}
#endif
