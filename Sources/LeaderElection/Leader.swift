// SPDX-License-Identifier: MIT

/// Who leads a group, as far as this process knows: a hint for people and for routing that never grants anything.
public struct Leader: Hashable, Sendable {
    /// The candidate that leads.
    public let candidate: Candidate
    /// Its term.
    public let term: Int64

    /// A leader of the given term.
    public init(candidate: Candidate, term: Int64) {
        self.candidate = candidate
        self.term = term
    }

    /// The candidate's name.
    public var id: String { candidate.id }
}
