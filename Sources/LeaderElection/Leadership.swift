// SPDX-License-Identifier: MIT

/// One term of this process as leader of a group.
///
/// The value stays the same for the whole term; ``isValid`` and ``remaining`` read the clock at each call and follow
/// renewals. Hand ``term`` to whatever the work writes to, and have it refuse smaller ones: a process can be paused
/// between a check and the act that the check permitted, and only the resource itself can close that gap.
public struct Leadership: Sendable {
    /// The group that is led.
    public let group: ElectionGroup
    /// The name under which this process leads.
    public let candidate: String
    /// The fencing token: larger than that of every earlier leader of the group.
    public let term: Int64

    private let cell: LeadershipCell

    init(group: ElectionGroup, candidate: String, term: Int64, cell: LeadershipCell) {
        self.group = group
        self.candidate = candidate
        self.term = term
        self.cell = cell
    }

    /// Whether this term still leads at the moment of the call.
    public var isValid: Bool { cell.leads(term) }

    /// How long this term leads if no renewal succeeds any more; zero when it has ended.
    public var remaining: Duration {
        guard let deadline = validUntil else { return .zero }
        return max(.zero, deadline - cell.now)
    }

    /// The boot-clock instant at which this term ends if no renewal succeeds any more; nil when it has ended.
    public var validUntil: ElectionInstant? { cell.deadline(of: term) }

    /// Throws once this term has ended; call it right before an act that cannot be fenced.
    ///
    /// - Throws: ``ElectionError/Code/leaseLost``.
    public func check() throws {
        guard isValid else {
            throw ElectionError(.leaseLost, "term \(term) of \"\(candidate)\" has ended", group: group.name)
        }
    }
}

extension Leadership: CustomStringConvertible {
    /// One line for people.
    public var description: String { "\(candidate) leads \(group) in term \(term)" }
}
