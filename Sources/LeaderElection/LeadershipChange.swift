// SPDX-License-Identifier: MIT

/// The state of an election, compared with what the same reader saw before.
///
/// A state, not an edge: a reader that was slow gets the newest state and the number of changes that it skipped, and
/// still learns that a term that it knew of has ended.
public struct LeadershipChange: Sendable {
    /// What a reader may be interested in.
    public struct Kinds: OptionSet, Hashable, Sendable {
        /// One bit a kind.
        public let rawValue: Int
        /// A set of the given bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// This candidate began to lead.
        public static let acquired = Kinds(rawValue: 1)
        /// A term of this candidate ended.
        public static let lost = Kinds(rawValue: 2)
        /// Somebody else leads, or nobody does.
        public static let changed = Kinds(rawValue: 4)
        /// Everything.
        public static let all: Kinds = [.acquired, .lost, .changed]
    }

    /// What this candidate is.
    public enum Role: String, Hashable, Sendable {
        /// It leads.
        case leader
        /// It waits for its turn.
        case follower
        /// It only looks on.
        case observer
        /// Its service is not running.
        case stopped
    }

    /// The group.
    public let group: ElectionGroup
    /// What this candidate is now.
    public let role: Role
    /// The term in which this candidate leads now.
    public let term: Int64?
    /// The term in which it led when this reader last looked.
    public let previousTerm: Int64?
    /// Who leads now, as far as known.
    public let leader: Leader?
    /// Who led when this reader last looked.
    public let previous: Leader?
    /// Why the last of the changes happened.
    public let reason: ElectionReason
    /// How many changes this reader was too slow to see one by one.
    public let skipped: Int

    /// This candidate leads, in a term that the reader did not know.
    public var becameLeader: Bool { term != nil && term != previousTerm }
    /// A term that the reader knew of has ended.
    public var lostLeadership: Bool { previousTerm != nil && term != previousTerm }
    /// Whether this candidate leads.
    public var isLeader: Bool { term != nil }

    /// What this change is about.
    public var kinds: Kinds {
        var kinds: Kinds = []
        if becameLeader { kinds.insert(.acquired) }
        if lostLeadership { kinds.insert(.lost) }
        if leader != previous { kinds.insert(.changed) }
        return kinds
    }
}

extension LeadershipChange: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        let name = leader.map { "\($0.id) leads in term \($0.term)" } ?? "nobody leads"
        return "\(group): \(name) (\(reason)); this candidate: \(role.rawValue)"
    }
}
