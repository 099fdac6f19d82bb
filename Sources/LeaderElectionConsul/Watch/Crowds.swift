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

    private let sizes = Mutex<[ElectionGroup: Int]>([:])

    /// At least 1; that is what is said of a group that nothing is known of.
    func size(_ group: ElectionGroup) -> Int { sizes.withLock { max(1, $0[group] ?? 1) } }

    /// A candidate of this process says that it waits, for the first time or again.
    ///
    /// - Returns: whether all of them are to be counted: at first, then the more seldom the more there are, so that counting
    ///   costs each of them the same.
    func waits(in group: ElectionGroup) -> Bool {
        let known = sizes.withLock { sizes in
            defer { sizes[group] = sizes[group] ?? 1 }
            return sizes[group]
        }
        return known.map { Int.random(in: 0..<2 * max(1, $0)) == 0 } ?? true
    }

    /// Takes note of a size, unless no candidate of this process waits in the group.
    func counted(_ group: ElectionGroup, _ size: Int) {
        sizes.withLock { if $0[group] != nil { $0[group] = size } }
    }

    /// How long one of so many waits before it asks for a lease that was given back.
    static func turn(among size: Int) -> Duration {
        var random = SystemRandomNumberGenerator()
        return HintSpread.delay(afterRelease: size, unspread: unspread, settling: settling, using: &random)
    }

    func left(_ group: ElectionGroup) { sizes.withLock { _ = $0.removeValue(forKey: group) } }
}
#endif
