// SPDX-License-Identifier: MIT

internal import LeaderElection

/// What a candidate reports: one JSON object a line when it is another process.
struct Word: Codable, Sendable {
    /// The kind of an ``ElectionEvent``, or "resigning".
    var event: String
    var candidate: String
    var term: Int64?
    var leader: String?
    var leaderTerm: Int64?
    var reason: String?
    var message: String?
    /// The boot clock, which all processes of a machine share.
    var nanoseconds: Int64
    var validUntil: Int64?
}

extension Word {
    init(_ event: ElectionEvent) {
        self.init(
            event: event.kind.rawValue,
            candidate: event.candidate,
            term: event.term,
            leader: event.leader?.id,
            leaderTerm: event.leader?.term,
            reason: event.reason?.rawValue,
            message: event.error?.message,
            nanoseconds: event.instant.nanoseconds,
            validUntil: event.validUntil?.nanoseconds
        )
    }
}
