// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// What the servers of a quorum said of one group, and what follows from it.
struct QuorumCount {
    let size: Int
    var majority: Int { size / 2 + 1 }
    /// One for each server that has answered; failures included.
    private(set) var answered = 0
    private(set) var granted: [Int64: Int] = [:]
    private(set) var held: [LeaseRecord] = []
    private(set) var free: [Int64] = []
    private(set) var deferred: [Duration] = []
    private(set) var errors: [ElectionError] = []

    init(size: Int) { self.size = size }

    init(_ replies: [QuorumReply?], group index: Int) {
        self.init(size: replies.count)
        for case let reply? in replies { take(reply, index) }
    }

    private mutating func take(_ reply: QuorumReply, _ index: Int) {
        answered += 1
        switch reply {
        case .failed(let error): errors.append(error)
        case .statuses(let statuses, _):
            switch statuses[index] {
            case .granted(let term): granted[term, default: 0] += 1
            case .held(let record): held.append(record)
            case .free(let term), .outdated(let term): free.append(term)
            case .deferred(let delay): deferred.append(delay)
            case .refused(let error): errors.append(error)
            case .lost: free.append(0)
            }
        case .renewals(let answers):
            switch answers[index] {
            case .renewed: granted[0, default: 0] += 1
            case .lost(let record): if let record { held.append(record) } else { free.append(0) }
            case .unknown(let error): errors.append(.wrapping(error))
            }
        case .releases(let answers):
            switch answers[index] {
            case .released: granted[0, default: 0] += 1
            case .notHeld: free.append(0)
            case .unknown(let error): errors.append(.wrapping(error))
            }
        }
    }

    /// The term that a majority agreed to.
    var agreedTerm: Int64? { granted.first { $0.value >= majority }?.key }

    /// Whether those who have not answered cannot make up a majority any more.
    var isOutOfReach: Bool { (granted.values.max() ?? 0) + size - answered < majority }

    /// Whether a majority neither granted nor failed: the matter itself, not the servers, is against it.
    var isRefused: Bool { held.count + free.count >= majority }

    /// The lease of another that stands in the way: what most say, of several the newest.
    var standing: LeaseRecord? { mostHeld?.record }

    /// The lease of another that a majority confirms.
    var confirmed: LeaseRecord? { mostHeld.flatMap { $0.votes >= majority ? $0.record : nil } }

    /// Two candidates may have proposed the same term to different servers: only both together name a lease.
    private var mostHeld: (record: LeaseRecord, votes: Int)? {
        let votes = Dictionary(grouping: held) { Claim(term: $0.term, incarnation: $0.holder.incarnation) }
        let most = votes.max { ($0.value.count, $0.key.term) < ($1.value.count, $1.key.term) }?.value
        let newest = most?.max { ($0.sequence, $0.remaining ?? .zero) < ($1.sequence, $1.remaining ?? .zero) }
        guard let most, let newest else { return nil }
        return (newest, most.count)
    }

    private struct Claim: Hashable {
        let term: Int64
        let incarnation: Nonce
    }

    /// The largest term that anybody remembers.
    var largestTerm: Int64 {
        max(granted.keys.max() ?? 0, held.lazy.map(\.term).max() ?? 0, free.max() ?? 0)
    }

    /// Why there is no answer, where too many servers failed.
    var failure: ElectionError {
        let causes = Set(errors.map(\.message)).sorted().joined(separator: "; ")
        let code = errors.first?.code ?? .storeUnavailable
        return ElectionError(
            code,
            "\(errors.count) of the \(size) servers of the quorum failed, so that no majority of \(majority) answers: \(causes)",
            cause: errors.first
        )
    }
}
#endif
