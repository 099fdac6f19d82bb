// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

/// What this session knows of one group's queue.
struct GroupQueue {
    /// A place of one nonce in the queue.
    final class Place {
        enum Phase {
            /// The node was asked for; the answer is under way.
            case creating
            /// The node was asked for, and no answer came.
            case unsure
            case queued(Contender, term: Int64)
        }

        var phase = Phase.creating
        /// Who stands there, for the node to tell.
        let candidate: Candidate
        let leaseDuration: Duration
        var lastAsked: ElectionInstant
        /// Set once the lease was granted: when the engine will have ended it, unless it is renewed.
        var grantedUntil: ElectionInstant?
        /// Given up: to be deleted as soon as it is known what there is.
        var isWithdrawn = false
        var attempts = 0
        /// Who waits until it is known whether there is a node.
        var onCreated: [() -> Void] = []

        init(_ request: AcquireRequest, at arrival: ElectionInstant) {
            candidate = request.candidate
            leaseDuration = request.leaseDuration
            lastAsked = arrival
        }

        /// What the node is to hold.
        var data: [UInt8] { CandidateRecord.encode(candidate, leaseDuration: leaseDuration) }

        var node: Contender? {
            if case .queued(let node, _) = phase { node } else { nil }
        }

        var term: Int64? {
            if case .queued(_, let term) = phase { term } else { nil }
        }

        /// Whether the lease of this term is held, and is from now on until then, unless that is nil.
        func prolong(_ term: Int64, until end: ElectionInstant?) -> Bool {
            guard isHeld(in: term) else { return false }
            if let end { grantedUntil = end }
            return true
        }

        func isHeld(in term: Int64) -> Bool { !isWithdrawn && grantedUntil != nil && self.term == term }
    }

    /// A request to be answered as soon as the place is known.
    struct Ask {
        let nonce: Nonce
        /// When the call came in: never earlier than what the engine reckons from.
        let arrival: ElectionInstant
        /// When the caller gives up.
        let deadline: ElectionInstant
        let answer: (AcquireAnswer) -> Void
    }

    /// Whose place a request is for.
    enum Admission {
        case known
        /// Given up, and perhaps not gone yet.
        case withdrawn
        /// Its node is still to be made; it may be the only place of the queue.
        case new(isFirst: Bool)
    }

    /// Kept apart, because whoever leads thousands of groups needs none of it.
    final class KnownLeader {
        let node: Contender
        let record: LeaseRecord

        init(_ node: Contender, _ record: LeaseRecord) { (self.node, self.record) = (node, record) }
    }

    var places: [Nonce: Place] = [:]
    /// Who leads, as of the last look.
    var leader: KnownLeader?
    /// Whether nothing has happened since the last look that we were to be told of.
    var isCurrent = false
    /// Requests that the next look will answer.
    var asks: [Ask] = []
    /// Requests that the look under way will answer.
    var running: [Ask] = []
    /// Whether the nodes of new places are under way that say who leads without a look.
    var isEntering = false
    var looks = 0
    /// What the look under way reads of nodes, and how many answers it still waits for.
    var reading: (id: UInt64, missing: Int) = (0, 0)
    /// When a hint was sent that nobody has followed yet.
    var hinted: ElectionInstant?

    /// Has the next look answer the request, which gets a place if it has none.
    mutating func admit(_ ask: Ask, _ request: AcquireRequest) -> Admission {
        let isFirst = places.isEmpty && asks.isEmpty && running.isEmpty
        asks.append(ask)
        guard let place = places[ask.nonce] else {
            places[ask.nonce] = Place(request, at: ask.arrival)
            return .new(isFirst: isFirst)
        }
        place.lastAsked = ask.arrival
        return place.isWithdrawn ? .withdrawn : .known
    }

    func nonce(of node: Contender) -> Nonce? {
        guard let nonce = node.nonce, places[nonce]?.node == node else { return nil }
        return nonce
    }
}
#endif
