// SPDX-License-Identifier: MIT

/// One term of one leader, as an ``ElectionRecorder`` saw it from this process.
public struct RecordedTerm: Hashable, Sendable {
    /// The group.
    public let group: ElectionGroup
    /// The candidate that led.
    public let leader: String
    /// The term.
    public let term: Int64
    /// Whether this process led; only then are renewals and margins known.
    public let isOwn: Bool
    /// When it began, or when this process first saw it, on the boot clock.
    public let start: ElectionInstant
    /// Why it began: ``ElectionReason/elected``, or ``ElectionReason/initial`` if it was under way when first seen.
    public let cause: ElectionReason
    /// How long nobody led before it, as far as this process saw; nil for the first term that it saw.
    public let leaderless: Duration?
    /// When it ended, at the latest; nil while it lasts.
    public internal(set) var end: ElectionInstant?
    /// Why it ended: what ``ElectionEvent/reason`` said for an own term; for another one's term
    /// ``ElectionReason/vacant``, or ``ElectionReason/superseded`` if the next leader was seen at once.
    public internal(set) var ending: ElectionReason?
    /// How often the lease was renewed.
    public internal(set) var renewals = 0
    /// How often a renewal was refused or stayed without an answer.
    public internal(set) var failedRenewals = 0
    /// How often the term was in jeopardy.
    public internal(set) var jeopardies = 0
    /// What was left of the lease when the narrowest renewal was answered; nil before the first one.
    public internal(set) var leastMargin: Duration?
}

extension RecordedTerm: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        var text = "\(group): \(leader) led in term \(term)"
        if let end { text += " for \(end - start)" } else { text += " and still does" }
        if let ending { text += "; \(ending)" }
        return text
    }
}
