// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

/// A note that this provider keeps: an ephemeral node, and the time until which it is to be there.
///
/// The server ends it with the session. Before that it is ours to end, so that no clocks are compared.
struct OwnNote: Hashable, Sendable {
    var text: String
    var deadline: ElectionInstant
    /// Whether the servers are known to have it, or have had it, in this session.
    var isWritten = false
}

/// What was read of a group's notes.
struct NoteReading: Sendable {
    /// When a note of the group was made or deleted last: as long as it is the same, so are they all.
    let version: Int64
    let notes: [GroupNote]
}

/// The groups that have a node for notes.
///
/// Only traces of their names are kept: two of one trace cost a reading in vain.
struct NotedGroups: Sendable {
    /// When such a node was made or deleted last.
    let version: Int64
    private let traces: Set<UInt64>

    /// None at all.
    init() { (version, traces) = (0, []) }

    init(version: Int64, _ names: [String]) {
        self.version = version
        traces = Set(names.lazy.map { $0.utf8.trace })
    }

    func contains(_ group: ElectionGroup) -> Bool { traces.contains(GroupPath.encode(group).utf8.trace) }
}

extension String.UTF8View {
    /// The same in every process: FNV-1a.
    fileprivate var trace: UInt64 { reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } }
}

/// A node that is changed with each piece of news of its share of the groups.
///
/// A node for each group would be one more watch for each; one for all would wake every process with each piece of news.
struct NewsSlot: Hashable, Sendable {
    static var count: Int { 64 }

    let number: Int

    init(number: Int) { self.number = number }

    /// The same in every process.
    init(_ group: ElectionGroup) {
        let hash = group.name.utf8.trace
        number = Int((hash ^ hash >> 32) % UInt64(Self.count))
    }
}

/// Which groups somebody here wants to hear news of.
struct NewsInterest: Sendable {
    private struct Slot {
        var groups: [ElectionGroup: ElectionInstant] = [:]
        /// Of the slot's node, as it was seen last; nil if it is not watched.
        var version: Int32?
        var isAsking = false
    }

    private var slots: [NewsSlot: Slot] = [:]
    private var count = 0
    private var pruneAt = 1000

    /// The slots in which anything is wanted.
    var wanted: [NewsSlot] { slots.filter { !$0.value.groups.isEmpty }.map(\.key) }

    func contains(_ group: ElectionGroup) -> Bool { slots[NewsSlot(group)]?.groups[group] != nil }

    /// - Parameter memory: how long a group counts that nobody names again.
    mutating func want(_ group: ElectionGroup, at now: ElectionInstant, memory: Duration) {
        if slots[NewsSlot(group), default: Slot()].groups.updateValue(now, forKey: group) == nil { count += 1 }
        guard count >= pruneAt else { return }
        slots = slots.mapValues { slot in
            var slot = slot
            slot.groups = slot.groups.filter { $0.value > now - memory }
            return slot
        }
        count = slots.values.reduce(0) { $0 + $1.groups.count }
        pruneAt = max(1000, count * 2)
    }

    /// Whether the slot has to be read now, so that its next change is told.
    mutating func mustAsk(_ slot: NewsSlot) -> Bool {
        guard let state = slots[slot], state.version == nil, !state.isAsking else { return false }
        slots[slot]?.isAsking = true
        return true
    }

    /// The slot was read, and is watched again.
    ///
    /// - Returns: the groups that may have news: the one that it names, or all of them if others came before that one.
    mutating func seen(_ slot: NewsSlot, version: Int32, latest: ElectionGroup?) -> [ElectionGroup] {
        guard let state = slots[slot] else { return [] }
        slots[slot]?.version = version
        slots[slot]?.isAsking = false
        guard let before = state.version, version &- before == 1, let latest else {
            return state.version == version ? [] : state.groups.keys.sorted { $0.name < $1.name }
        }
        return state.groups[latest] == nil ? [] : [latest]
    }

    /// The slot could not be read.
    mutating func missed(_ slot: NewsSlot) {
        slots[slot]?.version = nil
        slots[slot]?.isAsking = false
    }

    /// Nothing is watched any more.
    mutating func forgetVersions() {
        for slot in slots.keys { missed(slot) }
    }
}
#endif
