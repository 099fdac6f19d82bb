// SPDX-License-Identifier: MIT

/// One line of what `elect --history` writes; the fields are described with the command.
package struct HistoryLine: Decodable, Sendable {
    package enum Kind: String, Decodable, Sendable {
        /// A step of a call to the store.
        case op
        /// What an observer of the election was told.
        case event
        /// What "do I lead?" was answered between two readings of the clock.
        case claim
    }

    package var kind: Kind
    package var group: String
    package var candidate: String?
    package var event: String?
    package var op: String?
    package var phase: String?
    package var leading: Bool?
    package var term: Int64?
    package var leader: String?
    package var reason: String?
    package var nonce: String?
    package var instant: Int64?
    package var before: Int64?
    package var after: Int64?
    package var validUntil: Int64?

    enum CodingKeys: String, CodingKey {
        case kind, group, candidate, event, op, phase, leading, term, leader, reason, nonce
        case instant = "t_ns"
        case before = "t0_ns"
        case after = "t1_ns"
        case validUntil = "valid_until_ns"
    }

    /// When it happened, as far as the one who wrote it knows: nanoseconds on the boot clock.
    package var time: Int64 { instant ?? before ?? 0 }

    /// The term of a claim to lead.
    package var claimedTerm: Int64? { kind == .claim && leading == true ? term : nil }

    /// Whether it is this step of this call.
    package func isOperation(_ name: String, _ phase: String) -> Bool {
        kind == .op && op == name && self.phase == phase
    }
}
