// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import Synchronization

/// The leases that a session of this process holds for heirs who have not asked for them yet.
final class Handovers: Sendable {
    /// One lease on its way.
    struct Handover: Hashable, Sendable {
        let group: ElectionGroup
        let session: String
        let heirNonce: Nonce
    }

    private let pending = Mutex<Set<Handover>>([])

    /// The sessions that must not be ended now.
    var sessions: Set<String> { pending.withLock { Set($0.map(\.session)) } }

    func insert(_ handover: Handover) { pending.withLock { _ = $0.insert(handover) } }

    func remove(_ handover: Handover) { pending.withLock { _ = $0.remove(handover) } }
}
#endif
