// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import Synchronization

/// How many candidates wait in each group in which one of this process does, as far as their notes told when last read.
///
/// Consul does not say how many it tells of a change: what waits for a lease must know for itself whether it is one of a
/// crowd, of which only some are to ask at once.
final class Crowds: Sendable {
    private let sizes = Mutex<[ElectionGroup: Int]>([:])

    /// At least 1; that is what is said of a group that nothing is known of.
    func size(_ group: ElectionGroup) -> Int { sizes.withLock { max(1, $0[group] ?? 1) } }

    func isKnown(_ group: ElectionGroup) -> Bool { sizes.withLock { $0[group] != nil } }

    func joined(_ group: ElectionGroup, of size: Int) { sizes.withLock { $0[group] = size } }

    /// Takes note of a size, unless no candidate of this process waits in the group.
    func counted(_ group: ElectionGroup, _ size: Int) {
        sizes.withLock { if $0[group] != nil { $0[group] = size } }
    }

    func left(_ group: ElectionGroup) { sizes.withLock { _ = $0.removeValue(forKey: group) } }
}
#endif
