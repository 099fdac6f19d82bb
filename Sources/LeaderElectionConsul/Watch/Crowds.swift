// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import Synchronization

/// How many candidates wait in each group in which one of this process does, as far as their notes told when last read.
///
/// Consul does not say how many it tells of a change: what waits for a lease must know for itself whether it is one of a
/// crowd, of which only some are to ask at once.
final class Crowds: Sendable {
    /// Each that asks for a lease in vain costs Consul an entry of its log, one after the other: of more than so many, only
    /// some, drawn by lot, ask at once, fewer than elsewhere.
    static var unspread: Int { 4 }
    /// The others ask when it is known, as a rule, who was faster.
    static var settling: Duration { .milliseconds(20) }

    private struct Crowd {
        var size = 1
        /// The keys of the notes of this process's candidates.
        var ours: Set<String> = []
    }

    private let crowds = Mutex<[ElectionGroup: Crowd]>([:])

    /// At least 1; that is what is said of a group that nothing is known of.
    func size(_ group: ElectionGroup) -> Int { crowds.withLock { max(1, $0[group]?.size ?? 1) } }

    /// A candidate of this process says that it waits, for the first time or again.
    ///
    /// - Parameter key: of its note.
    /// - Returns: whether all of them are to be counted: at first, then the more seldom the more there are, so that counting
    ///   costs each of them the same.
    func waits(in group: ElectionGroup, _ key: String) -> Bool {
        let known = crowds.withLock { crowds in
            let known = crowds[group]?.ours.contains(key) ?? false ? crowds[group]?.size : nil
            crowds[group, default: Crowd()].ours.insert(key)
            return known
        }
        return known.map { Int.random(in: 0..<2 * max(1, $0)) == 0 } ?? true
    }

    /// Takes note of a size, unless no candidate of this process waits in the group.
    ///
    /// - Parameter isOurs: whether one does that has not said so yet.
    func counted(_ group: ElectionGroup, _ size: Int, isOurs: Bool = false) {
        crowds.withLock { crowds in
            if isOurs { crowds[group, default: Crowd()].size = size } else { crowds[group]?.size = size }
        }
    }

    /// Forgets a size, unless a candidate of this process says that it waits in the group.
    func forget(_ group: ElectionGroup) {
        crowds.withLock { if $0[group]?.ours.isEmpty ?? false { $0[group] = nil } }
    }

    /// How long one of so many waits before it asks for a lease that was given back.
    static func turn(among size: Int) -> Duration {
        var random = SystemRandomNumberGenerator()
        return HintSpread.delay(afterRelease: size, unspread: unspread, settling: settling, using: &random)
    }

    /// A candidate of this process does not wait any more.
    ///
    /// - Returns: whether none of this process does.
    @discardableResult
    func left(_ group: ElectionGroup, _ key: String) -> Bool {
        crowds.withLock { crowds in
            _ = crowds[group]?.ours.remove(key)
            guard crowds[group]?.ours.isEmpty ?? true else { return false }
            crowds[group] = nil
            return true
        }
    }
}
#endif
