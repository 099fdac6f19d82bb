// SPDX-License-Identifier: MIT

/// Something that happened in an election, as this candidate saw it.
public struct ElectionEvent: Sendable {
    /// What happened.
    public enum Kind: String, Hashable, Sendable {
        /// The service takes part.
        case ready
        /// This candidate leads.
        case acquired
        /// The lease was prolonged.
        case renewed
        /// An attempt to prolong the lease failed or stayed without an answer.
        case renewalFailed = "renewal-failed"
        /// The lease could not be prolonged; it ends at ``ElectionEvent/validUntil`` unless a later attempt succeeds.
        case jeopardy
        /// A renewal succeeded after one had failed.
        case recovered
        /// This candidate leads no more.
        case lost
        /// Another leader was seen, or that there is none.
        case changed
        /// The store lets nobody lead for now: ``ElectionEvent/reason`` says why, in the store's own words.
        ///
        /// Told once for each reason, and for as long as the store goes on to refuse. Only those that ask for leadership
        /// hear of it.
        case deferred
        /// Something went wrong; reported once per change of cause.
        case error
        /// The service has stopped; the last event.
        case stopped
    }

    /// What happened.
    public let kind: Kind
    /// The group.
    public let group: ElectionGroup
    /// This candidate's name.
    public let candidate: String
    /// This candidate's term, for events that concern one.
    public let term: Int64?
    /// Who leads, as far as known right after the event.
    public let leader: Leader?
    /// Why; for ``Kind/lost``, ``Kind/changed`` and ``Kind/deferred``.
    public let reason: ElectionReason?
    /// What went wrong; for ``Kind/error`` and ``Kind/renewalFailed``.
    public let error: ElectionError?
    /// When, on the boot clock.
    public let instant: ElectionInstant
    /// Until when the term lasts if nothing prolongs it; for events while leading.
    public let validUntil: ElectionInstant?
    /// When the store is asked again, which may be earlier than it grants anything; for ``Kind/deferred``.
    public let retryAt: ElectionInstant?
}

extension ElectionEvent: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        var text = "\(kind.rawValue) \(group)"
        if let term { text += " term \(term)" }
        if let leader { text += " leader \(leader.id)" }
        if let reason { text += " (\(reason))" }
        if let error { text += ": \(error.message)" }
        return text
    }
}
