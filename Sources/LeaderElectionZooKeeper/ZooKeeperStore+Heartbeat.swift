// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

extension ZooKeeperStore {
    private var interval: Duration { (session?.ledger?.timeout ?? .seconds(10)) / 6 }

    /// Writes a sign of life, and calls back with the answer; calls that come meanwhile share it.
    func heartbeat(_ then: @escaping (ZooKeeperReply) -> Void) {
        heartbeatWaiters.append(then)
        guard heartbeatUnderWay == nil else { return }
        guard let session, let path = session.heartbeatPath else {
            return tellHeartbeat(ZooKeeperReply(ZooKeeperCode.closing))
        }
        let sent = ElectionInstant.now
        heartbeatUnderWay = sent
        let inbox = session.inbox
        nextHeartbeat = sent + interval
        // A peer that is silent is not waited for: another server may know the session as well.
        later(interval) {
            guard let session = self.session, session.inbox === inbox, session.isConnected,
                self.heartbeatUnderWay == sent
            else { return }
            session.handle.breakConnection()
        }
        send(.beat(path), isUrgent: true) { reply in
            guard self.session?.inbox === inbox else { return self.tellHeartbeat(reply) }
            self.heartbeatUnderWay = nil
            switch reply.code {
            case ZooKeeperCode.ok: self.session?.ledger?.acknowledged(sent: sent, received: .now)
            // Somebody deleted it: it is made again for the next call.
            case ZooKeeperCode.noNode: self.session?.heartbeatPath = nil
            default: break
            }
            self.tellHeartbeat(reply)
        }
    }

    /// Calls back once a heartbeat was answered that is as good as one that is sent now.
    ///
    /// Renewals of many groups come in several calls, for which one write will do.
    func proveLife(at arrival: ElectionInstant, _ then: @escaping (ZooKeeperReply) -> Void) {
        let isFresh = session?.isConnected == true && session?.heartbeatPath != nil
        if let ledger = session?.ledger, isFresh, arrival - ledger.lastAcknowledged < .milliseconds(50) {
            then(ZooKeeperReply(ZooKeeperCode.ok))
        } else {
            heartbeat(then)
        }
        let gap = arrival - lastRenewals
        guard gap > .milliseconds(100) else { return }
        lastRenewals = arrival
        // A write proves what was sent a tick before. One that is sent so long before the next renewals, which may come a
        // tenth earlier than these, makes their leases longer, and so the renewals fewer.
        let due = arrival + gap * 0.9 - settings.tickTime - .milliseconds(20)
        guard due > arrival + interval / 4, due < nextHeartbeat else { return }
        nextHeartbeat = due
        beatSoon()
    }

    /// Finds out why a node of ours is gone that we did not delete.
    ///
    /// Somebody else did, or the session was ended elsewhere. Then the server passes over in silence what this connection
    /// still asks for, and only a new connection is told.
    func doubtSession() {
        guard let inbox = session?.inbox, !isDoubting else { return }
        isDoubting = true
        heartbeat { _ in self.isDoubting = false }
        later(max(.milliseconds(100), min(settings.tickTime / 4, interval))) {
            guard self.isDoubting else { return }
            self.isDoubting = false
            guard let session = self.session, session.inbox === inbox, session.isConnected else { return }
            session.handle.breakConnection()
        }
    }

    private func tellHeartbeat(_ reply: ZooKeeperReply) {
        let waiting = heartbeatWaiters
        heartbeatWaiters = []
        for then in waiting { then(reply) }
    }

    /// Answers a request that is first in its queue, for as long as the session is certain to live.
    func grant(_ group: ElectionGroup, _ ask: GroupQueue.Ask) {
        guard let ledger = session?.ledger else { return ask.answer(.unknown(causeOfSilence)) }
        if let refusal = session?.refusal { return ask.answer(.unknown(refusal)) }
        let lease = ledger.leaseDuration(requested: ask.arrival)
        let regular = ledger.regularLease(heartbeatInterval: interval)
        if lease >= max(regular, ledger.timeout / 2) { return grant(group, ask, lease) }
        // The proof is old: another write may bring a newer one.
        heartbeat { reply in
            guard reply.code == ZooKeeperCode.ok, let session = self.session, let ledger = session.ledger else {
                return ask.answer(.unknown(self.settings.failure(reply.code, "keeping the session alive")))
            }
            let lease = ledger.leaseDuration(requested: ask.arrival)
            if lease >= regular { return self.grant(group, ask, lease) }
            // The session was just made or resumed. What was written now is a proof in a tick.
            let tick = self.settings.tickTime + .milliseconds(2)
            guard .now + tick * 1.5 < ask.deadline else {
                let reason = "the session was just made or resumed, and is certain to live only once a tick has passed"
                return ask.answer(.deferred(retryAfter: tick, reason: reason))
            }
            self.later(tick) {
                guard self.session?.inbox === session.inbox else { return ask.answer(.unknown(self.causeOfSilence)) }
                self.grant(group, ask)
            }
        }
    }

    /// Calls back after a while.
    private func later(_ time: Duration, _ then: @escaping () -> Void) {
        lastRequest += 1
        let id = lastRequest
        delayed[id] = then
        _ = thread.schedule(at: .now + time) { [weak self] in
            self?.assumeIsolated { $0.delayed.removeValue(forKey: id)?() }
        }
    }

    private func grant(_ group: ElectionGroup, _ ask: GroupQueue.Ask, _ lease: Duration) {
        guard let place = groups[group]?.places[ask.nonce], !place.isWithdrawn, let node = place.node,
            let term = place.term
        else { return ask.answer(.unknown(settings.slow)) }
        let isNew = place.grantedUntil == nil
        groups[group]?.places[ask.nonce]?.grantedUntil = ask.arrival + lease
        nextExpiry = min(nextExpiry, ask.arrival + lease)
        ask.answer(.granted(term: term, leaseDuration: lease))
        if isNew {
            watchOwn(group, node)
            // A leader hears of what is asked of it before it has read any note.
            wantNews(group)
        }
        beatSoon()
    }

    // MARK: - What is due

    /// Sees to it that heartbeats are sent, and that leases end, while there is something to keep.
    func beatSoon() {
        guard !groups.isEmpty else { return }
        let due = max(min(nextHeartbeat, nextExpiry), .now + .milliseconds(20))
        guard due < beatDue else { return }
        beatTimer?.cancel()
        beatDue = due
        beatTimer = thread.schedule(at: due) { [weak self] in self?.assumeIsolated { $0.beat() } }
    }

    private func beat() {
        beatDue = .distantFuture
        let now = ElectionInstant.now
        guard !isUnheard(at: now) else {
            return dropSession(
                cause: ElectionError(settings.connectionLost.0, settings.connectionLost.1),
                mustClose: true
            )
        }
        if now >= nextExpiry { endWhatNobodyKeeps(at: now) }
        if let session, session.isConnected, session.heartbeatPath != nil, now >= nextHeartbeat, !groups.isEmpty {
            heartbeat { _ in }
        } else if let session, session.isConnected, session.heartbeatPath == nil {
            prepare()
        }
        if nextHeartbeat <= now { nextHeartbeat = now + interval }
        beatSoon()
    }

    /// Whether this session keeps its places, which nobody can use, only because servers hear what we ask.
    ///
    /// Where answers are lost and requests are not, each attempt to go on with a session keeps it alive. So it is given up
    /// when its time is over by what we know, and an attempt is under way that nothing comes of. Servers that cannot be
    /// reached, or refuse, keep no session alive, and may let us go on with it when they are back.
    private func isUnheard(at now: ElectionInstant) -> Bool {
        guard let session, let ledger = session.ledger else { return false }
        let wasAsking = session.isAsking
        let isAsking = !session.isConnected && session.handle.isAsking
        self.session?.isAsking = isAsking
        return isAsking && wasAsking && now >= ledger.proven + ledger.timeout
    }

    /// Gives up leases that are not renewed in time, and places that nobody claims, so that others can lead.
    ///
    /// The session goes on as long as this thread runs, even if the engine does not. This looks at all groups, and so is
    /// not done before the earliest of them is due.
    private func endWhatNobodyKeeps(at now: ElectionInstant) {
        nextExpiry = .distantFuture
        for (group, queue) in groups {
            for (nonce, place) in queue.places where !place.isWithdrawn {
                guard let end = end(of: place, hinted: queue.hinted) else { continue }
                if end <= now { withdraw(group, nonce) { _ in } } else { nextExpiry = min(nextExpiry, end) }
            }
        }
    }

    /// When a place is to be given up if nothing more is heard of it.
    private func end(of place: GroupQueue.Place, hinted: ElectionInstant?) -> ElectionInstant? {
        if let end = place.grantedUntil { return end }
        if case .unsure = place.phase { return place.lastAsked + patience * 2 }
        guard let hinted, place.lastAsked < hinted else { return nil }
        return hinted + patience
    }

    /// How long whoever was hinted at may take to ask.
    var patience: Duration { max(session?.ledger?.timeout ?? .seconds(10), .seconds(2)) }
}
#endif
