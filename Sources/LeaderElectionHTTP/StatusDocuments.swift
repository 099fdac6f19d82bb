// SPDX-License-Identifier: MIT

#if HTTP
internal import LeaderElection

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Who leads one group: an entry of `/leader`.
struct LeaderDocument: Encodable {
    let group: String
    let leader: String?
    let term: Int64?
    let isLeader: Bool
    let remaining: Int64?

    private enum CodingKeys: String, CodingKey {
        case group, leader, term
        case isLeader = "is_leader"
        case remaining = "remaining_ns"
    }

    init(_ election: ElectionService) {
        group = election.group.name
        let own = election.leadership
        // Read after the own term: what others are known as must not be older.
        let known = election.leader
        isLeader = own != nil
        leader = own?.candidate ?? known?.id
        term = own?.term ?? known?.term
        remaining = own?.remaining.wholeNanoseconds
    }

    /// Says `null` where nobody leads, instead of leaving the key out.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(group, forKey: .group)
        try container.encode(leader, forKey: .leader)
        try container.encode(term, forKey: .term)
        try container.encode(isLeader, forKey: .isLeader)
        try container.encode(remaining, forKey: .remaining)
    }
}

/// The answer of `/healthz` and `/readyz`.
struct HealthDocument: Encodable {
    struct Reason: Encodable {
        let group: String
        let cause: String
        let status: String
        let message: String
    }

    let status: String
    let elections: Int
    /// Of those that are not healthy, the worst first and no more than this.
    let reasons: [Reason]

    private static let maximumReasons = 100

    init(_ health: [ElectionHealth]) {
        status = (health.map(\.status).max() ?? .healthy).rawValue
        elections = health.count
        let sick = health.filter { $0.status == .failed } + health.filter { $0.status == .degraded }
        reasons = sick.prefix(Self.maximumReasons).flatMap { health in
            health.reasons.map {
                Reason(
                    group: health.group.name,
                    cause: $0.cause.rawValue,
                    status: $0.status.rawValue,
                    message: $0.message
                )
            }
        }
    }
}

/// One term: an entry of `/terms`, in the words of `elect --history`.
struct TermDocument: Encodable {
    let group: String
    let leader: String
    let term: Int64
    let own: Bool
    let start: Int64
    let end: Int64?
    let cause: String
    let ending: String?
    let renewals: Int
    let failedRenewals: Int
    let jeopardies: Int
    let leastMargin: Int64?
    let leaderless: Int64?

    private enum CodingKeys: String, CodingKey {
        case group, leader, term, own, cause, ending, renewals, jeopardies
        case start = "t0_ns"
        case end = "t1_ns"
        case failedRenewals = "failed_renewals"
        case leastMargin = "least_margin_ns"
        case leaderless = "leaderless_ns"
    }

    init(_ term: RecordedTerm) {
        group = term.group.name
        leader = term.leader
        self.term = term.term
        own = term.isOwn
        start = term.start.nanoseconds
        end = term.end?.nanoseconds
        cause = term.cause.rawValue
        ending = term.ending?.rawValue
        renewals = term.renewals
        failedRenewals = term.failedRenewals
        jeopardies = term.jeopardies
        leastMargin = term.leastMargin?.wholeNanoseconds
        leaderless = term.leaderless?.wholeNanoseconds
    }
}

extension Encodable {
    /// Compact JSON with its keys in order.
    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
#endif
