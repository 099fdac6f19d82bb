// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import Synchronization

/// Keys without a holder of which it is not known that nobody leads by them.
///
/// A lease of ours leaves a mark in its key when it is given back. A key that holds anything else, or is missing after
/// this process has seen a leader of ours, may have been overwritten or deleted under that leader, who goes on until it
/// finds out or its lease ends: such a key is free only once it was watched for as long as one that nobody renews. To
/// whoever has seen no leader a missing key is that of a new group, so that its first leader need not wait.
final class Doubts: Sendable {
    private struct Doubt {
        /// The longest lease that the key may have been held for.
        var lease: Duration
        /// The version without a holder, and since when it is seen; nil while there is a holder.
        var seen: (version: UInt64, since: ElectionInstant)?
    }

    private let doubts = Mutex<[ElectionGroup: Doubt]>([:])

    /// Whether nobody holds the entry and yet it is not what a release leaves behind.
    static func isForeign(_ entry: KVEntry) -> Bool {
        KVState(entry) == .free && StoredRecord.lastTerm(entry.value) == nil
    }

    /// Somebody holds the key.
    ///
    /// - Parameter isOurs: one of our candidates, and no other program.
    func saw(_ record: LeaseRecord, of group: ElectionGroup, isOurs: Bool) {
        doubts.withLock { $0[group] = isOurs ? Doubt(lease: record.leaseDuration) : nil }
    }

    /// Whether one of our candidates held the key when last seen with a holder.
    func mayBeHeld(_ group: ElectionGroup) -> Bool { doubts.withLock { $0[group] != nil } }

    func end(_ group: ElectionGroup) { doubts.withLock { _ = $0.removeValue(forKey: group) } }

    /// How long to wait before the key may be taken; zero if it was seen for long enough.
    ///
    /// - Parameters:
    ///   - entry: as it was read just now.
    ///   - unchanged: for how long the watch has seen it so.
    ///   - lease: of whoever asks, and as a rule of all others.
    func wait(_ group: ElectionGroup, _ entry: KVEntry?, unchangedFor unchanged: Duration, lease: Duration) -> Duration
    {
        let now = ElectionInstant.now
        let version = entry?.modifyIndex ?? 0
        return doubts.withLock { doubts in
            var doubt = doubts[group] ?? Doubt(lease: .zero)
            doubt.lease = max(doubt.lease, lease, entry.flatMap { StoredRecord($0.value)?.leaseDuration } ?? .zero)
            if doubt.seen?.version != version { doubt.seen = (version, now) }
            let since = min(doubt.seen?.since ?? now, now - unchanged)
            doubt.seen = (version, since)
            doubts[group] = doubt
            // For clocks that drift as far as may be configured: by 5 %.
            return max(.zero, since + doubt.lease * 1.1 + max(.milliseconds(100), doubt.lease / 20) - now)
        }
    }
}
#endif
