// SPDX-License-Identifier: MIT

public import LeaderElection

/// Says which fault happens, when, to which verbs, and for which groups.
///
/// Each request of a batch is judged on its own. Several rules may strike the same request.
public struct FaultRule: Sendable {
    /// What a rule may interfere with.
    public enum Operation: String, Hashable, Sendable, CaseIterable {
        /// ``/LeaderElection/ElectionProvider/acquire(_:)``
        case acquire
        /// ``/LeaderElection/ElectionProvider/renew(_:)``
        case renew
        /// ``/LeaderElection/ElectionProvider/release(_:)``
        case release
        /// ``/LeaderElection/ElectionProvider/holders(of:)``
        case holders
        /// ``/LeaderElection/NoteKeepingProvider/write(_:)``
        case writeNotes
        /// ``/LeaderElection/NoteKeepingProvider/remove(_:)``
        case removeNotes
        /// ``/LeaderElection/NoteKeepingProvider/notes(of:)``
        case readNotes
        /// ``/LeaderElection/TransferringProvider/transfer(_:)``
        case transfer
        /// Hints of a ``/LeaderElection/PushingProvider``; they can be delayed, dropped, doubled, and swapped with the next.
        case hints
    }

    /// Which of the requests that a rule looks at are struck.
    ///
    /// Requests are counted from 1, for each rule on its own.
    public enum Occasion: Hashable, Sendable {
        /// All of them.
        case always
        /// Each with this probability, 0 to 1, drawn from the rule's own seeded generator.
        case probability(Double)
        /// The first so many.
        case first(Int)
        /// All after the first so many.
        case after(Int)
        /// Every n-th: `.every(3)` strikes the third, the sixth, and so on.
        case every(Int)
        /// One after another as listed, and none after the end of the list.
        case sequence([Bool])
        /// Those from the first instant on and before the second.
        case between(ElectionInstant, ElectionInstant)
    }

    /// What goes wrong.
    public var fault: Fault
    /// When it does.
    public var occasion: Occasion
    /// For which verbs.
    public var operations: Set<Operation>
    /// For which groups.
    public var groups: GroupPattern

    /// A rule; without more, the fault strikes every request of all four verbs, but no hint, note or transfer.
    public init(
        _ fault: Fault,
        when occasion: Occasion = .always,
        on operations: Set<Operation> = [.acquire, .renew, .release, .holders],
        groups: GroupPattern = .all
    ) {
        self.fault = fault
        self.occasion = occasion
        self.operations = operations
        self.groups = groups
    }
}
