// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import ElectionStores
internal import LeaderElection

/// Looking who is first, and being told when that may have changed.
extension ZooKeeperStore {
    private var maximumLooks: Int { 8 }

    /// Answers all that is asked of a group, with one look at its queue.
    func look(_ group: ElectionGroup) {
        guard var queue = groups[group], queue.running.isEmpty, !queue.asks.isEmpty else { return }
        queue.running = queue.asks
        queue.asks = []
        queue.looks = 0
        queue.hinted = nil
        groups[group] = queue
        if queue.isEntering { return }
        let isSettled = queue.running.allSatisfy { queue.places[$0.nonce]?.node != nil }
        if isSettled, queue.isCurrent, let leader = queue.leader {
            lookAtLeader(group, leader.node)
        } else {
            lookAtQueue(group)
        }
    }

    /// Why a queue, or a node of it, could not be read.
    func unread(_ code: Int32, _ group: ElectionGroup) -> ElectionError {
        let needs = "read \(settings.path(group)) and the nodes in it"
        return settings.failure(code, "reading the queue", needs: needs, group: group)
    }

    private func lookAgain(_ group: ElectionGroup) {
        guard let queue = groups[group] else { return }
        groups[group]?.isCurrent = false
        guard !queue.running.isEmpty else { return finishLook(group) }
        guard queue.looks < maximumLooks else { return failLook(group, settings.slow) }
        groups[group]?.looks += 1
        lookAtQueue(group)
    }

    private func failLook(_ group: ElectionGroup, _ error: ElectionError) {
        let running = groups[group]?.running ?? []
        groups[group]?.running = []
        groups[group]?.isCurrent = false
        for ask in running { ask.answer(.unknown(error)) }
        finishLook(group)
    }

    func finishLook(_ group: ElectionGroup) {
        forgetIfEmpty(group)
        look(group)
    }

    /// Nothing has changed that we were to be told of: if the first one is still there, so is the order.
    private func lookAtLeader(_ group: ElectionGroup, _ node: Contender) {
        send(.get(settings.path(group, node.name), watch: nil)) { reply in
            guard let queue = self.groups[group] else { return }
            switch reply.code {
            case ZooKeeperCode.ok where queue.isCurrent && queue.leader?.node == node: self.answer(group)
            case ZooKeeperCode.ok, ZooKeeperCode.noNode: self.lookAgain(group)
            default: self.failLook(group, self.unread(reply.code, group))
            }
        }
    }

    func lookAtQueue(_ group: ElectionGroup) {
        // From here on a change is later than what this look may have seen.
        groups[group]?.isCurrent = true
        send(.children(settings.path(group), watch: nil)) { reply in
            guard self.groups[group] != nil else { return }
            switch reply.code {
            case ZooKeeperCode.ok, ZooKeeperCode.noNode: self.judge(group, Contender.queue(reply.children ?? []))
            default: self.failLook(group, self.unread(reply.code, group))
            }
        }
    }

    private func judge(_ group: ElectionGroup, _ nodes: [Contender]) {
        guard let queue = groups[group] else { return }
        checkRecipes(nodes)
        let present = Set(nodes)
        var mustLookAgain = false
        for nonce in Set(queue.running.lazy.map(\.nonce)) {
            guard let place = queue.places[nonce], !place.isWithdrawn else {
                fail(group, nonce, settings.slow)
                continue
            }
            switch place.phase {
            case .creating: mustLookAgain = true
            case .unsure:
                mustLookAgain = true
                adoptOrCreate(group, nonce)
            case .queued(let node, _) where !present.contains(node):
                // Somebody deleted it. The term went with it; what is made now is another one.
                mustLookAgain = true
                groups[group]?.places[nonce]?.grantedUntil = nil
                createNode(group, nonce)
            case .queued: break
            }
        }
        guard let first = nodes.first, !mustLookAgain, let queue = groups[group] else { return lookAgain(group) }
        // Terms and owners of our own nodes were checked when they were made, in this same session.
        let own = queue.nonce(of: first)
        if queue.leader?.node != first { groups[group]?.leader = nil }
        if let own {
            let granted = queue.running.filter { $0.nonce == own }
            groups[group]?.running.removeAll { $0.nonce == own }
            for ask in granted { grant(group, ask) }
            if granted.isEmpty, queue.places[own]?.grantedUntil == nil, queue.places[own]?.isWithdrawn == false {
                hint(group)
            }
        }
        read(group, nodes)
    }

    private func adoptOrCreate(_ group: ElectionGroup, _ nonce: Nonce) {
        groups[group]?.places[nonce]?.phase = .creating
        find(group, nonce) { outcome in
            guard let place = self.groups[group]?.places[nonce] else { return }
            switch outcome {
            case .success(true): break
            case .success(false): if place.node == nil { self.createNode(group, nonce) }
            case .failure(let error):
                self.becameUnsure(group, nonce)
                self.fail(group, nonce, error)
            }
            guard self.groups[group]?.places[nonce]?.node != nil else { return }
            for then in place.onCreated { then() }
            self.groups[group]?.places[nonce]?.onCreated = []
        }
    }

    /// Reads who leads, and has the first of our waiting places be told when the one before it goes.
    private func read(_ group: ElectionGroup, _ nodes: [Contender]) {
        guard let queue = groups[group], let first = nodes.first else { return }
        let waiting = nodes.indices.dropFirst().first { queue.nonce(of: nodes[$0]) != nil }
        let watch = waiting.map { index in
            let node = nodes[index - 1]
            return WatchedNode(group: group, node: node, path: settings.path(group, node.name))
        }
        let mustWatch = watch.map { watchIDs[$0.path] == nil } ?? false
        let mustRead = !queue.running.isEmpty && queue.leader == nil
        let mustWatchOther = mustWatch && !(mustRead && watch?.node == first)
        lastRequest += 1
        let id = lastRequest
        groups[group]?.reading = (id, missing: (mustRead ? 1 : 0) + (mustWatchOther ? 1 : 0))
        if mustRead {
            let isWatched = mustWatch && watch?.node == first
            send(.get(settings.path(group, first.name), watch: isWatched ? watch : nil)) { reply in
                self.leaderRead(group, first, reply, id)
            }
        }
        if mustWatchOther, let watch {
            send(.get(watch.path, watch: watch)) { self.step(group, id, $0.code) }
        }
        if !mustRead, !mustWatchOther { answer(group) }
    }

    /// One of the requests of a look was answered; the last answer, or the first bad one, goes on with the look.
    private func step(_ group: ElectionGroup, _ id: UInt64, _ code: Int32) {
        guard let reading = groups[group]?.reading, reading.id == id, reading.missing > 0 else { return }
        groups[group]?.reading.missing -= 1
        guard code != ZooKeeperCode.ok else {
            if reading.missing == 1 { answer(group) }
            return
        }
        groups[group]?.reading.missing = 0
        if code == ZooKeeperCode.noNode { return lookAgain(group) }
        failLook(group, unread(code, group))
    }

    private func leaderRead(
        _ group: ElectionGroup,
        _ node: Contender,
        _ reply: ZooKeeperReply,
        _ id: UInt64
    ) {
        guard groups[group]?.reading.id == id, let session, let ledger = session.ledger, let stat = reply.stat else {
            return step(group, id, reply.code)
        }
        if stat.ephemeralOwner == session.id, let nonce = node.nonce, groups[group]?.places[nonce]?.node != node {
            // Made in this session by a request whose answer was lost, and wanted by nobody.
            send(.delete(settings.path(group, node.name))) { _ in }
            return step(group, id, ZooKeeperCode.noNode)
        }
        let record = CandidateRecord.decode(
            reply.data ?? [],
            node: node,
            stat: stat,
            sessionTimeout: ledger.timeout
        )
        groups[group]?.leader = GroupQueue.KnownLeader(node, record)
        step(group, id, ZooKeeperCode.ok)
    }

    private func answer(_ group: ElectionGroup) {
        guard let queue = groups[group] else { return }
        groups[group]?.running = []
        if let leader = queue.leader {
            let own = queue.nonce(of: leader.node)
            for ask in queue.running {
                if ask.nonce == own { grant(group, ask) } else { ask.answer(.held(leader.record)) }
            }
        } else {
            for ask in queue.running { ask.answer(.unknown(settings.slow)) }
        }
        finishLook(group)
    }

    // MARK: - Being told

    /// A node that we watch has gone, or was changed.
    func fired(_ watched: WatchedNode, isGone: Bool) {
        let group = watched.group
        guard let queue = groups[group] else {
            if watched.isOnlooker { subscribers.send(.changed(group)) }
            return
        }
        if let node = watched.node, let nonce = queue.nonce(of: node), queue.places[nonce]?.isWithdrawn == false {
            if isGone {
                remove(group, nonce)
                doubtSession()
            } else {
                watchOwn(group, node)
            }
        }
        if let node = watched.node, isGone, queue.leader?.node == node { groups[group]?.leader = nil }
        groups[group]?.isCurrent = false
        // What we give up ourselves is no news.
        if queue.places.values.contains(where: { !$0.isWithdrawn }) { hint(group) }
    }

    func hint(_ group: ElectionGroup) {
        if groups[group]?.hinted == nil {
            let now = ElectionInstant.now
            groups[group]?.hinted = now
            nextExpiry = min(nextExpiry, now + patience)
        }
        subscribers.send(.changed(group))
    }

    /// Has us told if somebody deletes the node by which we lead, as long as that takes no room from those who wait.
    func watchOwn(_ group: ElectionGroup, _ node: Contender) {
        guard watchedBytes < watchBudget / 2 else { return }
        unwatched.append((group, node))
        watchSome()
    }

    /// Sends what nobody waits for, while there is little else to do.
    func watchSome() {
        while entriesUnderWay == 0, hasRoomForMore, let (group, node) = unwatched.popFirst() {
            // It may be gone by now.
            if groups[group]?.nonce(of: node) != nil { watchNow(group, node) }
        }
    }

    private func watchNow(_ group: ElectionGroup, _ node: Contender) {
        let path = settings.path(group, node.name)
        guard watchIDs[path] == nil else { return }
        send(.get(path, watch: WatchedNode(group: group, node: node, path: path))) { reply in
            guard reply.code == ZooKeeperCode.noNode, let queue = self.groups[group],
                let nonce = queue.nonce(of: node), queue.places[nonce]?.isWithdrawn == false
            else { return }
            self.remove(group, nonce)
            self.subscribers.send(.changed(group))
        }
    }

    /// Candidates whose recipe does not know our names would lead beside us.
    private func checkRecipes(_ nodes: [Contender]) {
        guard let stranger = nodes.first(where: { $0.recipe != settings.naming }) else { return }
        warn(
            "recipe",
            ElectionError(
                .storeUnsuitable,
                "the candidate \(stranger.name) does not follow the naming \"\(settings.naming.rawValue)\", and may lead "
                    + "beside others; give all candidates of a group the same naming: "
                    + ZooKeeperQueueNaming.allCases.map(\.rawValue).joined(separator: ", ")
            )
        )
    }

    // MARK: - Reading

    func queues(of groups: [ElectionGroup]) async -> [QueueAnswer] {
        await answering(groups, isReading: true, timeout: { _ in .seconds(2) }, unknown: { .unknown($0) }) { batch in
            for (index, group) in groups.enumerated() {
                self.send(.children(self.settings.path(group), watch: nil)) { reply in
                    switch reply.code {
                    case ZooKeeperCode.ok, ZooKeeperCode.noNode:
                        batch.settle(index, .found(Contender.queue(reply.children ?? []).map(\.nonce)))
                    default:
                        let error = self.unread(reply.code, group)
                        batch.settle(index, .unknown(error))
                    }
                }
            }
        }
    }

    /// Who is first; with a watch, for somebody who only looks on.
    func readHolder(_ group: ElectionGroup, _ attempt: Int = 0, _ answer: @escaping (HolderAnswer) -> Void) {
        let isWatching = !subscribers.isEmpty && groups[group] == nil
        send(.children(settings.path(group), watch: nil)) { reply in
            switch reply.code {
            case ZooKeeperCode.noNode: return answer(.free(lastTerm: nil))
            case ZooKeeperCode.ok: break
            default: return answer(.unknown(self.unread(reply.code, group)))
            }
            guard let first = Contender.queue(reply.children ?? []).first else {
                if isWatching { self.watchFreeGroup(group) }
                return answer(.free(lastTerm: nil))
            }
            let path = self.settings.path(group, first.name)
            let watch = isWatching ? WatchedNode(group: group, node: first, path: path, isOnlooker: true) : nil
            self.send(.get(path, watch: watch)) { reply in
                if reply.code == ZooKeeperCode.noNode, attempt < self.maximumLooks {
                    return self.readHolder(group, attempt + 1, answer)
                }
                guard reply.code == ZooKeeperCode.ok, let stat = reply.stat, let ledger = self.session?.ledger else {
                    return answer(.unknown(self.unread(reply.code, group)))
                }
                let record = CandidateRecord.decode(
                    reply.data ?? [],
                    node: first,
                    stat: stat,
                    sessionTimeout: ledger.timeout
                )
                answer(.held(record))
            }
        }
    }

    private func watchFreeGroup(_ group: ElectionGroup) {
        let path = settings.path(group)
        send(.children(path, watch: WatchedNode(group: group, node: nil, path: path, isOnlooker: true))) { _ in }
    }
}
#endif
