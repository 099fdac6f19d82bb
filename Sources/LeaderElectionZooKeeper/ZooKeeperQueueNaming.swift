// SPDX-License-Identifier: MIT
#if ZooKeeper

/// Whose recipe the names of candidates follow, so that candidates of other clients stand in one queue with ours.
///
/// We order all nodes of a group by their numbers, whoever made them. Other clients look at names, and each only at its
/// own kind: choose the one that takes part in your elections. All of ours must be given the same choice.
public enum ZooKeeperQueueNaming: String, Hashable, Sendable, CaseIterable {
    /// As kazoo's `Election` and `Lock` do: `…__lock__0000000001`.
    case kazoo
    /// As Curator's `LeaderLatch` does: `…-latch-0000000001`.
    case curatorLatch = "latch"
    /// As Curator's `LeaderSelector` and `InterProcessMutex` do: `…-lock-0000000001`.
    case curatorLock = "lock"
}
#endif
