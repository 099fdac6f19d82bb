// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import Synchronization

/// The leases that this provider was granted and has neither released nor lost.
final class HeldLeases: Sendable {
    private let leases = Mutex<[ElectionGroup: HeldLease]>([:])

    subscript(group: ElectionGroup) -> HeldLease? {
        get { leases.withLock { $0[group] } }
        set { leases.withLock { $0[group] = newValue } }
    }

    var isEmpty: Bool { leases.withLock { $0.isEmpty } }

    var all: [ElectionGroup: HeldLease] { leases.withLock { $0 } }

    func hasAny(of session: String) -> Bool { leases.withLock { $0.contains { $0.value.session == session } } }

    /// The lease, if nonce and term are its own.
    func lease(_ group: ElectionGroup, nonce: Nonce, term: Int64?) -> HeldLease? {
        guard let held = self[group], held.nonce == nonce, term == nil || held.term == term else { return nil }
        return held
    }

    /// For each request the lease that it is about, if nonce and term are its own.
    func leases(_ requests: some Sequence<RenewRequest>) -> [HeldLease?] {
        leases.withLock { leases in
            requests.map { request in
                guard let held = leases[request.group], held.nonce == request.nonce, held.term == request.term else {
                    return nil
                }
                return held
            }
        }
    }

    /// Forgets a lease unless another one has taken its place.
    func remove(_ group: ElectionGroup, nonce: Nonce) {
        leases.withLock { if $0[group]?.nonce == nonce { $0[group] = nil } }
    }

    /// Forgets what a session held.
    func removeAll(of session: String) -> [ElectionGroup] {
        leases.withLock { leases in
            let lost = leases.filter { $0.value.session == session }.map(\.key)
            for group in lost { leases[group] = nil }
            return lost
        }
    }

    /// Forgets what is certain to be lost when all entries of a prefix were read, as they were at an index.
    func settle(at index: UInt64, _ seen: (ElectionGroup) -> SeenKey?) -> [ElectionGroup] {
        leases.withLock { leases in
            var lost: [ElectionGroup] = []
            for (group, held) in leases {
                // What was read may be older than what we wrote.
                guard held.index <= index else { continue }
                if let seen = seen(group), seen.modifyIndex <= held.index || seen.shows(held) { continue }
                lost.append(group)
            }
            for group in lost { leases[group] = nil }
            return lost
        }
    }
}
#endif
