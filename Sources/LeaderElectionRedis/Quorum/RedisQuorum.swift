// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection
internal import Synchronization

/// An election among independent servers, of which a majority decides; SAFETY calls it Redlock with terms.
///
/// A grant takes two rounds: the first learns the largest term that a majority remembers, the second sets a larger one
/// where nobody else holds the lease. Any two majorities share a server, so that terms grow and two candidates cannot
/// both succeed, as long as no majority loses its data. A server that lost it grants nothing new until leases of before
/// are over, and is told again about those that a majority still holds.
final class RedisQuorum: RedisElection {
    private static let rounds = 6

    private struct Held {
        let nonce: Nonce
        let term: Int64
        let request: AcquireRequest
    }

    let members: [QuorumMember]
    var stores: [RedisLeaseStore] { members.map(\.store) }
    private let shared: RedisLeaseStore.Shared
    private let listeners: QuorumHints
    private let held = Mutex<[ElectionGroup: Held]>([:])
    /// The last term that was proposed for a group.
    ///
    /// None is proposed twice: a withdrawal that is still under way names its term and must never meet a later proposal.
    private let proposed = Mutex<[ElectionGroup: Int64]>([:])

    init(topologies: [any RedisTopology], names: [String], shared: RedisLeaseStore.Shared) throws {
        guard topologies.count >= 3 else {
            throw ElectionError(
                .invalidConfiguration,
                "a quorum of \(topologies.count) servers cannot lose any; name at least 3, best an odd number"
            )
        }
        let keys = LeaseKeys(prefix: shared.options.prefix)
        let members = zip(topologies, names).map { topology, name in
            QuorumMember(store: RedisLeaseStore(topology: topology, keys: keys, shared: shared), name: name)
        }
        self.members = members
        self.shared = shared
        listeners = QuorumHints(stores: members.map(\.store), shared: shared)
    }

    // MARK: - Verbs

    func acquire(_ requests: [AcquireRequest], until deadline: ElectionInstant) async throws -> [AcquireAnswer] {
        var answers: [AcquireAnswer?] = Array(repeating: nil, count: requests.count)
        var open = Array(requests.indices)
        for round in 0..<Self.rounds where !open.isEmpty {
            if round > 0 {
                // Votes were split between candidates that came at the same time; by chance one comes first now.
                let pause = Duration.milliseconds(Int64.random(in: 1...(4 << round)))
                guard .now + pause < deadline else { break }
                await Self.pause(pause)
            }
            let part = open.map { requests[$0] }
            let isLast = round == Self.rounds - 1
            for (index, answer) in zip(open, await attempt(part, until: deadline)) {
                if case .deferred(let delay, _) = answer, delay == .zero, !isLast { continue }
                answers[index] = answer
            }
            open = open.filter { answers[$0] == nil }
        }
        return zip(requests, answers).map { request, answer in
            guard let answer else { return Self.split }
            switch answer {
            case .granted(let term, _):
                let held = Held(nonce: request.nonce, term: term, request: request)
                self.held.withLock { $0[request.group] = held }
            case .deferred(let delay, _) where delay == .zero: return Self.split
            default: break
            }
            return answer
        }
    }

    func renew(_ requests: [RenewRequest], until deadline: ElectionInstant) async throws -> [RenewAnswer] {
        let size = members.count
        let replies = await ask(
            .renew(requests),
            until: deadline,
            isEnough: { replies in
                requests.indices.allSatisfy { index in
                    let count = QuorumCount(replies, group: index)
                    return count.agreedTerm != nil || count.isOutOfReach
                }
            },
            afterwards: { [weak self] member, reply in self?.heal(requests, reply, at: member) }
        )
        let answers: [RenewAnswer] = zip(requests.indices, requests).map { index, request in
            let count = QuorumCount(replies, group: index)
            if count.agreedTerm != nil { return .renewed(leaseDuration: request.leaseDuration) }
            if count.held.count + count.free.count > size - count.majority { return .lost(count.confirmed) }
            return .unknown(count.failure)
        }
        held.withLock { held in
            for (request, answer) in zip(requests, answers) {
                if case .lost = answer, held[request.group]?.nonce == request.nonce { held[request.group] = nil }
            }
        }
        for (member, reply) in replies.enumerated() {
            guard let reply else { continue }
            heal(
                zip(requests, answers).filter { if case .renewed = $1 { true } else { false } }.map(\.0),
                requests,
                reply,
                at: member
            )
        }
        return answers
    }

    func release(_ requests: [ReleaseRequest], until deadline: ElectionInstant) async throws -> [ReleaseAnswer] {
        held.withLock { held in
            for request in requests where held[request.group]?.nonce == request.nonce { held[request.group] = nil }
        }
        let replies = await ask(.release(requests), until: deadline) { replies in
            requests.indices.allSatisfy { index in
                let count = QuorumCount(replies, group: index)
                return count.agreedTerm != nil || count.isOutOfReach
            }
        }
        return requests.indices.map { index in
            let count = QuorumCount(replies, group: index)
            if count.agreedTerm != nil { return .released }
            return count.free.count > members.count - count.majority ? .notHeld : .unknown(count.failure)
        }
    }

    func holders(of groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> [HolderAnswer] {
        let majority = members.count / 2 + 1
        let replies = await ask(.read(groups, timeout: deadline - .now), until: deadline) { replies in
            replies.count { if case .statuses = $0 { true } else { false } } >= majority
                && groups.indices.allSatisfy { index in
                    let count = QuorumCount(replies, group: index)
                    return count.confirmed != nil || count.free.count >= majority
                }
        }
        return groups.indices.map { index in
            let count = QuorumCount(replies, group: index)
            if let record = count.confirmed { return .held(record) }
            guard count.isRefused else { return .unknown(count.failure) }
            let agreed = count.free.max().flatMap { term in
                term > 0 && count.free.count(where: { $0 == term }) >= majority ? term : nil
            }
            return .free(lastTerm: agreed)
        }
    }

    /// A majority would have to agree on the heir's term before the old holder is gone from it, and could stop half-way.
    func transfer(_ requests: [TransferRequest], until deadline: ElectionInstant) async throws -> [TransferAnswer] {
        requests.map { _ in
            .refused(
                reason: "a quorum of independent Redis servers cannot move a lease in one step; release it instead, or "
                    + "use one server, sentinels or a cluster"
            )
        }
    }

    /// A server that was away would bring back notes that were removed or replaced meanwhile.
    private static let noNotes = ElectionError(
        .unsupported,
        "a quorum of independent Redis servers keeps no notes, as nobody could tell which of two is newer; for lists of "
            + "candidates and instructions use one server, sentinels or a cluster"
    )

    func write(_ requests: [NoteRequest], until deadline: ElectionInstant) async throws -> [NoteAnswer] {
        throw Self.noNotes
    }

    func remove(_ requests: [NoteRemoval], until deadline: ElectionInstant) async throws -> [NoteAnswer] {
        throw Self.noNotes
    }

    func notes(of groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> [NotesAnswer] {
        throw Self.noNotes
    }

    func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        listeners.add(receive)
    }

    func close() { for member in members { member.store.topology.close() } }

    // MARK: - Rounds

    /// One attempt of two rounds; `.deferred` by nothing means that it is worth trying again at once.
    private func attempt(_ requests: [AcquireRequest], until deadline: ElectionInstant) async -> [AcquireAnswer] {
        let probes = await ask(.probe(requests), until: deadline) { replies in
            requests.indices.allSatisfy { index in
                let count = QuorumCount(replies, group: index)
                if count.agreedTerm != nil || count.confirmed != nil { return true }
                return count.held.isEmpty && count.granted.isEmpty && count.free.count >= count.majority
            }
        }
        let clock = probes.lazy.compactMap { $0?.serverMilliseconds }.max() ?? 0
        var answers: [AcquireAnswer?] = Array(repeating: nil, count: requests.count)
        var proposals: [(index: Int, term: Int64)] = []
        for (index, request) in requests.enumerated() {
            let count = QuorumCount(probes, group: index)
            let mayTake =
                count.standing.map { request.observed?.term == $0.term } ?? true || request.previousNonce != nil
            if let term = count.agreedTerm {
                answers[index] = .granted(term: term, leaseDuration: request.leaseDuration)
            } else if let record = count.confirmed, !mayTake {
                answers[index] = .held(record)
            } else if count.errors.count > members.count - count.majority {
                answers[index] = .unknown(count.failure)
            } else {
                proposals.append((index, nextTerm(for: request.group, after: count.largestTerm, floor: clock)))
            }
        }
        guard !proposals.isEmpty else { return answers.map { $0 ?? Self.split } }
        let part = proposals.map { requests[$0.index] }
        let terms = proposals.map(\.term)
        let votes = await ask(.propose(part, terms: terms), until: deadline) { replies in
            part.indices.allSatisfy { index in
                let count = QuorumCount(replies, group: index)
                return (count.granted[terms[index]] ?? 0) >= count.majority || count.isOutOfReach
            }
        }
        var failed: [ReleaseRequest] = []
        for (position, proposal) in proposals.enumerated() {
            let request = requests[proposal.index]
            let count = QuorumCount(votes, group: position)
            if count.granted[proposal.term] ?? 0 >= count.majority {
                answers[proposal.index] = .granted(term: proposal.term, leaseDuration: request.leaseDuration)
                continue
            }
            // With its term: whatever the same nonce is granted later is not meant.
            failed.append(
                ReleaseRequest(
                    group: request.group,
                    nonce: request.nonce,
                    term: proposal.term,
                    timeout: request.timeout
                )
            )
            answers[proposal.index] = Self.refusal(count)
        }
        if !failed.isEmpty {
            let withdrawal = failed
            _ = await ask(.release(withdrawal), until: deadline) { replies in
                replies.count { $0 != nil } > replies.count / 2
            }
        }
        return answers.map { $0 ?? Self.split }
    }

    private func nextTerm(for group: ElectionGroup, after largest: Int64, floor: Int64) -> Int64 {
        proposed.withLock { proposed in
            let term = max(largest + 1, floor, (proposed[group] ?? 0) + 1)
            proposed[group] = term
            return term
        }
    }

    private static func refusal(_ count: QuorumCount) -> AcquireAnswer {
        if let record = count.confirmed { return .held(record) }
        if count.errors.count > count.size - count.majority { return .unknown(count.failure) }
        if let delay = count.deferred.min() {
            return .deferred(
                retryAfter: delay,
                reason: "\(count.deferred.count) of the \(count.size) servers of the quorum were started, replaced or "
                    + "emptied a short time ago, and may have forgotten leases that still run"
            )
        }
        return .deferred(retryAfter: .zero, reason: "")
    }

    private static var split: AcquireAnswer {
        .deferred(
            retryAfter: .milliseconds(Int64.random(in: 5...50)),
            reason: "several candidates asked at the same time, and none of them has a majority"
        )
    }

    /// Asks all servers, and returns when the replies suffice; the rest of them comes in its own time.
    private func ask(
        _ call: QuorumCall,
        until deadline: ElectionInstant,
        isEnough: @escaping @Sendable ([QuorumReply?]) -> Bool,
        afterwards: @escaping @Sendable (Int, QuorumReply) -> Void = { _, _ in }
    ) async -> [QuorumReply?] {
        let round = QuorumRound(count: members.count, isEnough: isEnough, afterwards: afterwards)
        let timeout = max(deadline - .now, .milliseconds(1))
        let notices = shared.notices
        for (number, member) in members.enumerated() {
            member.submit(call, timeout: timeout) { reply in
                if case .failed(let error) = reply {
                    notices.memberFailed(member.name, error)
                } else {
                    notices.memberAnswered(member.name)
                }
                round.take(reply, from: number)
            }
        }
        return await round.replies()
    }

    // MARK: - Healing

    private func heal(_ requests: [RenewRequest], _ reply: QuorumReply, at member: Int) {
        heal(requests, requests, reply, at: member)
    }

    /// Tells a server again about leases that it has forgotten and a majority has just renewed.
    private func heal(_ renewed: [RenewRequest], _ asked: [RenewRequest], _ reply: QuorumReply, at member: Int) {
        guard case .renewals(let answers) = reply, !renewed.isEmpty else { return }
        let confirmed = Set(renewed.map(\.group))
        let forgotten = held.withLock { held in
            zip(asked, answers).compactMap { request, answer -> Held? in
                guard case .lost(nil) = answer, confirmed.contains(request.group), let own = held[request.group],
                    own.nonce == request.nonce, own.term == request.term
                else { return nil }
                return own
            }
        }
        guard !forgotten.isEmpty else { return }
        let call = QuorumCall.heal(forgotten.map(\.request), terms: forgotten.map(\.term))
        members[member].submit(call, timeout: forgotten[0].request.timeout) { _ in }
    }

    private static func pause(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            _ = SystemClock().schedule(at: .now + duration) { continuation.resume() }
        }
    }
}
#endif
