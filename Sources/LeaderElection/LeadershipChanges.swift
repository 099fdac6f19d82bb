// SPDX-License-Identifier: MIT

/// The changes of one election: the present state first, then each change, until the service stops.
///
/// Any number of readers; each holds one state and never delays the service. A reader that is slow gets the newest
/// state with the number of changes that it skipped. Never rely on it for safety: ``Leadership/isValid`` and
/// ``ElectionService/whileLeader(_:)`` do not depend on who reads when.
public struct LeadershipChanges: AsyncSequence, Sendable {
    /// What this sequence is made of.
    public typealias Element = LeadershipChange
    /// The sequence never fails.
    public typealias Failure = Never

    let broadcast: Broadcast<ChangeBuffer>
    let state: @Sendable () -> ElectionState
    let kinds: LeadershipChange.Kinds?

    /// Subscribes; what happens from here on is not missed.
    public func makeAsyncIterator() -> Iterator {
        let subscription = broadcast.subscribe(ChangeBuffer())
        // After subscribing, so that no change can fall in between; versions sort out what arrives twice.
        subscription.push(state())
        return Iterator(subscription: subscription, kinds: kinds)
    }

    /// Reads one stream of changes.
    public struct Iterator: AsyncIteratorProtocol {
        let subscription: Subscription<ChangeBuffer>
        let kinds: LeadershipChange.Kinds?

        /// The next element; nil when the service has stopped or the task is cancelled.
        public mutating func next() async -> LeadershipChange? {
            await next(isolation: #isolation)
        }

        /// The next element; nil when the service has stopped or the task is cancelled.
        public mutating func next(isolation: isolated (any Actor)?) async -> LeadershipChange? {
            while let change = await subscription.next(isolation: isolation) {
                guard let kinds else { return change }
                if !change.kinds.isDisjoint(with: kinds) { return change }
            }
            return nil
        }
    }
}

@available(*, unavailable)
extension LeadershipChanges.Iterator: Sendable {}

/// What subscribers are told: the whole state, every time.
struct ElectionState: Sendable {
    var group: ElectionGroup
    var role: LeadershipChange.Role
    var leadership: Leadership?
    var leader: Leader?
    var reason: ElectionReason
    /// Counts changes, so that a state is not delivered twice.
    var version: UInt64
}

/// Keeps the newest state and what the reader saw before.
struct ChangeBuffer: SubscriberBuffer {
    private var pending: ElectionState?
    private var skipped = -1
    private var seenVersion: UInt64?
    private var previousTerm: Int64?
    private var previousLeader: Leader?

    mutating func push(_ state: ElectionState) {
        if let newest = pending?.version ?? seenVersion, state.version <= newest { return }
        pending = state
        skipped += 1
    }

    mutating func pop() -> LeadershipChange? {
        guard let state = pending else { return nil }
        pending = nil
        // A term that has run out between the change and its reading is not announced as won.
        let leadership = state.leadership.flatMap { $0.isValid ? $0 : nil }
        let hasExpired = state.leadership != nil && leadership == nil
        let leader = hasExpired ? nil : state.leader
        let change = LeadershipChange(
            group: state.group,
            role: hasExpired ? .follower : state.role,
            term: leadership?.term,
            previousTerm: previousTerm,
            leader: leader,
            previous: previousLeader,
            reason: seenVersion == nil ? .initial : hasExpired ? .expired : state.reason,
            skipped: skipped
        )
        seenVersion = state.version
        skipped = -1
        previousTerm = leadership?.term
        previousLeader = leader
        return change
    }
}
