// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore
internal import Synchronization

extension ConsulStore {
    /// How often what was read may turn out to have changed since, before others are let go first.
    private static var rounds: Int { 4 }

    func acquire(_ requests: [AcquireRequest], until deadline: ElectionInstant) async -> [AcquireAnswer] {
        let start = ElectionInstant.now
        lookouts.asked(for: requests.lazy.map(\.group), mayLead: true)
        var answers = [AcquireAnswer?](repeating: nil, count: requests.count)
        // What the watch has seen need not be read: taking what is not free any more fails.
        var known = watch.known(to: requests).mapValues { Result<KVEntry?, any Error>.success($0) }
        var watched = Set(known.keys)
        for _ in 0..<Self.rounds {
            // Of a group's requests one after the other: the second one finds what the first one did.
            var groups: Set<ElectionGroup> = []
            let turn = requests.indices.filter { answers[$0] == nil && groups.insert(requests[$0].group).inserted }
            guard !turn.isEmpty else { break }
            let unknown = turn.lazy.map { requests[$0].group }.filter { known[$0] == nil }
            known.merge(await read(unknown, until: deadline)) { $1 }
            var claims: [(request: Int, claim: Claim)] = []
            for index in turn {
                switch known[requests[index].group] {
                case .failure(let error): answers[index] = .unknown(error)
                case .success(let entry):
                    let claim = claim(requests[index], at: entry)
                    if let answer = doubted(requests[index], claim) {
                        answers[index] = answer
                    } else {
                        claims.append((index, claim))
                    }
                case nil: break
                }
            }
            for (index, claim) in claims {
                guard case .held(var record) = claim else { continue }
                if case .success(let entry?) = known[requests[index].group] {
                    doubts.saw(record, of: requests[index].group, isOurs: KVState(entry).record != nil)
                    record.unchangedFor = watch.unchanged(requests[index].group, entry)
                }
                answers[index] = .held(record)
            }
            claims.removeAll { if case .held = $0.claim { true } else { false } }
            for (index, answer) in await take(claims, of: requests, watched, since: start, until: deadline) {
                answers[index] = answer
            }
            // Whatever was refused is read again.
            (known, watched) = ([:], [])
        }
        return answers.map { answer in
            answer ?? .deferred(retryAfter: .milliseconds(50), reason: "many candidates write at once")
        }
    }

    private func claim(_ request: AcquireRequest, at entry: KVEntry?) -> Claim {
        guard settings.usesSession(request.leaseDuration) else { return Claim(request, at: entry, session: nil) }
        // Made before it is needed, so that a hand-over need not wait for it.
        let session = sessions.current(request.leaseDuration)
        if session == nil { _ = sessions.session(request.leaseDuration, within: request.timeout) }
        return Claim(request, at: entry, session: session?.id ?? "")
    }

    /// Nil unless the lease looks free, and may be held all the same.
    ///
    /// Who locks by a session is not let in while another holds the key, whoever writes to it, and Consul makes it wait
    /// when that one has ended.
    private func doubted(_ request: AcquireRequest, _ claim: Claim) -> AcquireAnswer? {
        guard case .free(let entry) = claim,
            entry.map({ !settings.usesSession(request.leaseDuration) && Doubts.isForeign($0) })
                ?? doubts.mayBeHeld(request.group)
        else { return nil }
        let pause = doubts.wait(
            request.group,
            entry,
            unchangedFor: watch.unchanged(request.group, entry),
            lease: request.leaseDuration
        )
        guard pause > .zero else { return nil }
        let reason =
            entry == nil
            ? "there is no key: whoever held it, if somebody deleted it, may lead until its lease ends"
            : "somebody else wrote to the key: whoever held it may lead until its lease ends"
        return .deferred(retryAfter: pause, reason: reason)
    }

    /// Takes what is free; no answer for what was not free any more.
    ///
    /// - Parameter watched: the groups whose entries are known from the watch.
    private func take(
        _ claims: [(request: Int, claim: Claim)],
        of requests: [AcquireRequest],
        _ watched: Set<ElectionGroup>,
        since start: ElectionInstant,
        until deadline: ElectionInstant
    ) async -> [(Int, AcquireAnswer)] {
        guard !claims.isEmpty else { return [] }
        var answers: [(Int, AcquireAnswer)] = []
        var proofs: [Duration: SessionProof] = [:]
        for (index, claim) in claims {
            let lease = requests[index].leaseDuration
            guard settings.usesSession(lease) else { continue }
            let isOld = if case .own = claim { true } else { false }
            if let proof = proofs[lease], !isOld || proof.renewal != nil { continue }
            proofs[lease] = await proof(lease, since: start, isToRenew: isOld, until: deadline)
        }
        var changes: [(key: String, operations: [KVOperation])] = []
        var changed: [Claimed] = []
        for (index, claim) in claims {
            let request = requests[index]
            let usesSession = settings.usesSession(request.leaseDuration)
            let proof = proofs[request.leaseDuration]
            if usesSession, case .failure(let error)? = proof?.session {
                answers.append((index, .unknown(error)))
                continue
            }
            let session = usesSession ? try? proof?.session.get().id : nil
            let key = names.key(request.group)
            switch claim {
            case .held: break
            case .own(let entry, let record) where session != nil:
                // By a session that has been replaced meanwhile: to be looked at again.
                guard entry.session == session else { break }
                let answer = await granted(
                    request,
                    term: record.term ?? entry.term,
                    index: entry.modifyIndex,
                    session: session,
                    record,
                    proof,
                    since: start
                )
                answers.append((index, answer))
            case .own(let entry, let record) where isUnheard(request, record):
                changes.append(change(request.group, entry.modifyIndex, nil, term: record.term ?? entry.term))
                changed.append(Claimed(request: index, session: nil, record: nil, before: entry))
            case .own(let entry, var record):
                record.term = record.term ?? entry.term
                record.isHandover = false
                record.sequence += 1
                let operation = KVOperation.compareAndSet(
                    key,
                    entry.modifyIndex,
                    flags: KVEntry.observedFlags,
                    value: record.encoded
                )
                changes.append((key, [operation]))
                changed.append(Claimed(request: index, session: nil, record: record, before: entry))
            case .free(let entry):
                let record = StoredRecord(
                    candidate: request.candidate,
                    nonce: request.nonce,
                    leaseDuration: request.leaseDuration,
                    lockDelay: usesSession ? settings.lockDelay(forLease: request.leaseDuration) : nil,
                    term: Claim.inheritedTerm(request.nonce, at: entry)
                )
                changes.append(
                    (key, Claim.operations(key: key, entry: entry, session: session, record: record))
                )
                changed.append(Claimed(request: index, session: session, record: record, before: entry))
            }
        }
        for (claimed, outcome) in zip(changed, await apply(changes, until: deadline)) {
            let request = requests[claimed.request]
            switch outcome {
            case .unknown(let error): answers.append((claimed.request, .unknown(error)))
            case .applied(let entry):
                guard let record = claimed.record else {
                    let reason = "what this process writes is seldom answered in time; others go first"
                    answers.append((claimed.request, .deferred(retryAfter: request.leaseDuration / 2, reason: reason)))
                    continue
                }
                let answer = await granted(
                    request,
                    term: record.term ?? entry.term,
                    index: entry.modifyIndex,
                    session: claimed.session,
                    record,
                    proofs[request.leaseDuration],
                    since: start
                )
                answers.append((claimed.request, answer))
            case .refused(let text):
                let answer = refused(request, claimed, text, isWatched: watched.contains(request.group))
                if let answer { answers.append((claimed.request, answer)) }
            }
        }
        return answers
    }

    /// Whether the request's own lease was written again and again, and no answer came.
    ///
    /// Each of these writes is a sign of life to the others, who would wait for good for one that never leads.
    private func isUnheard(_ request: AcquireRequest, _ record: StoredRecord) -> Bool {
        record.sequence >= Self.rounds && held.lease(request.group, nonce: request.nonce, term: nil) == nil
    }

    private struct Claimed {
        let request: Int
        let session: String?
        /// Nil if the lease is given up.
        let record: StoredRecord?
        let before: KVEntry?
    }

    private func granted(
        _ request: AcquireRequest,
        term: Int64,
        index: UInt64,
        session: String?,
        _ record: StoredRecord,
        _ proof: SessionProof?,
        since start: ElectionInstant
    ) async -> AcquireAnswer {
        lockDelays.withLock { _ = $0.removeValue(forKey: request.group) }
        doubts.end(request.group)
        // A leader hears of what is asked of it before it has read any note.
        news.want()
        held[request.group] = HeldLease(
            nonce: request.nonce,
            term: term,
            index: index,
            keeper: session.map { .session($0) } ?? .candidates(record)
        )
        lookouts.granted()
        guard let session else { return .granted(term: term, leaseDuration: request.leaseDuration) }
        do {
            var proven = try proof?.session.get()
            if let renewal = proof?.renewal { proven = try await renewal.get() }
            guard let proven, proven.id == session else {
                held.remove(request.group, nonce: request.nonce)
                return .unknown(Self.sessionEnded)
            }
            // Consul counts from when the session was renewed, whoever asked from when it did. A little more than that is
            // taken off, because of a shorter lease less is taken off for the drift of clocks.
            let age = max(.zero, start - proven.provenAt) * 1.06
            return .granted(term: term, leaseDuration: request.leaseDuration - age)
        } catch {
            return .unknown(error)
        }
    }

    /// Nil for what is worth another look.
    private func refused(
        _ request: AcquireRequest,
        _ claimed: Claimed,
        _ text: String,
        isWatched: Bool
    ) -> AcquireAnswer? {
        if text.contains("lock delay") || text.contains("lock-delay") {
            return deferred(request.group, after: claimed.before)
        }
        if text.contains("invalid session"), let session = claimed.session {
            sessions.ended(session)
            return nil
        }
        for expected in ["index", "exists", "lock is already held", "stale", "session"] where text.contains(expected) {
            // The watch is about to tell what has changed, which is to be read then: once is enough, and just now the
            // server is busy with whoever was faster. What this process holds itself it does not tell.
            guard isWatched, held[request.group] == nil, watch.refute(request.group) else { return nil }
            let pause = min(.milliseconds(300), request.timeout / 2)
            return .deferred(retryAfter: pause, reason: "another candidate was faster")
        }
        return .unknown(ConsulFailure.operation(text, at: settings.place))
    }

    /// A session has ended, and Consul gives its holder time to notice.
    private func deferred(_ group: ElectionGroup, after entry: KVEntry?) -> AcquireAnswer {
        // What Consul's own programs ask for, unless the holder was one of ours.
        let delay = entry.flatMap { StoredRecord($0.value)?.lockDelay } ?? .seconds(15)
        let now = ElectionInstant.now
        let end = lockDelays.withLock { delays in
            if let end = delays[group], end > now - delay { return end }
            delays[group] = now + delay
            return now + delay
        }
        // It may have begun before we heard of it.
        let pause = min(max(end - now, .milliseconds(50)), max(.milliseconds(250), delay / 8))
        return .deferred(retryAfter: pause, reason: "the leader's session has ended, and its lock-delay runs")
    }

    static var sessionEnded: ElectionError {
        ElectionError(
            .storeUnavailable,
            "Consul ended the session of this process; all of its leases are lost, and a new one is made"
        )
    }

    // MARK: - Certainty about the session

    struct SessionProof {
        var session: Result<ConsulSession, any Error>
        /// Sent after the call began; nil if none is needed, and holding nil if the session has ended.
        var renewal: EventLoopFuture<ConsulSession?>?
    }

    /// The session, and if it was not renewed for long, a renewal that travels beside what is written.
    ///
    /// What was renewed a while ago is enough for a lease that is so much shorter: a hand-over then costs one request, and
    /// of those who ask in vain each but one. That the session still lives, the writing itself finds out.
    private func proof(
        _ lease: Duration,
        since start: ElectionInstant,
        isToRenew: Bool,
        until deadline: ElectionInstant
    ) async -> SessionProof {
        let left = max(.milliseconds(1), deadline - .now)
        do {
            let known = sessions.current(lease)
            let session = if let known { known } else { try await sessions.session(lease, within: left).get() }
            let isFresh = session.provenAt >= start || (!isToRenew && start - session.provenAt < lease / 2)
            return SessionProof(
                session: .success(session),
                renewal: isFresh ? nil : sessions.renew(lease, within: left)
            )
        } catch {
            return SessionProof(session: .failure(error), renewal: nil)
        }
    }
}
#endif
