// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

/// Making and giving up places in queues.
extension ZooKeeperStore {
    /// Sees to it that the nonce has a place, and has the next look answer the request.
    ///
    /// - Returns: the place, if it is a new one, whose node is still to be made.
    func ask(
        _ request: AcquireRequest,
        arrival: ElectionInstant,
        _ answer: @escaping (AcquireAnswer) -> Void
    ) -> NewPlace? {
        let group = request.group
        let ask = GroupQueue.Ask(
            nonce: request.nonce,
            arrival: arrival,
            deadline: arrival + request.timeout,
            answer: answer
        )
        if let refusal = session?.refusal {
            answer(.unknown(refusal))
            return nil
        }
        if let previous = request.previousNonce, previous != request.nonce, groups[group]?.places[previous] != nil {
            withdraw(group, previous) { _ in }
        }
        switch groups[group, default: GroupQueue()].admit(ask, request) {
        case .known: return nil
        case .withdrawn:
            // It was being given up, and now somebody wants it after all: not the same place, though.
            answer(.unknown(settings.slow))
            return nil
        case .new(let isFirst): return NewPlace(group: group, nonce: request.nonce, isFirst: isFirst)
        }
    }

    /// Makes the node of a place; a look that is sent after this finds it.
    func createNode(_ group: ElectionGroup, _ nonce: Nonce) {
        guard let place = groups[group]?.places[nonce] else { return }
        groups[group]?.places[nonce]?.phase = .creating
        groups[group]?.places[nonce]?.attempts += 1
        let path = settings.path(group, settings.naming.nodePrefix(nonce))
        send(.create(path, place.data, .candidate)) { self.created(group, nonce, $0) }
    }

    private func created(_ group: ElectionGroup, _ nonce: Nonce, _ reply: ZooKeeperReply) {
        guard let place = groups[group]?.places[nonce] else { return }
        if reply.code == ZooKeeperCode.noNode, place.attempts < 4, !place.isWithdrawn {
            // The group's node, or all of the root, was deleted by somebody.
            createRootPath()
            send(.create(settings.path(group), [], .persistent)) { _ in }
            return createNode(group, nonce)
        }
        let node = reply.path?.split(separator: "/").last.flatMap { Contender(String($0)) }
        if reply.code == ZooKeeperCode.ok, let node, let stat = reply.stat, stat.ephemeralOwner == session?.id {
            groups[group]?.places[nonce]?.phase = .queued(node, term: stat.czxid)
            groups[group]?.places[nonce]?.attempts = 0
        } else if ZooKeeperCode.isUnsure(reply.code) || reply.code == ZooKeeperCode.ok {
            becameUnsure(group, nonce)
            fail(group, nonce, settings.failure(ZooKeeperCode.connectionLoss, ""))
        } else {
            remove(group, nonce, mustHint: false)
            let needs = "create nodes in \(settings.path(group))"
            fail(group, nonce, settings.failure(reply.code, "taking part in the election", needs: needs, group: group))
        }
        for then in place.onCreated { then() }
        groups[group]?.places[nonce]?.onCreated = []
    }

    func becameUnsure(_ group: ElectionGroup, _ nonce: Nonce) {
        guard let place = groups[group]?.places[nonce] else { return }
        groups[group]?.places[nonce]?.phase = .unsure
        nextExpiry = min(nextExpiry, place.lastAsked + patience * 2)
    }

    /// Answers whoever asks for a place that cannot be had now.
    func fail(_ group: ElectionGroup, _ nonce: Nonce, _ error: ElectionError) {
        guard let queue = groups[group] else { return }
        let failed = (queue.asks + queue.running).filter { $0.nonce == nonce }
        groups[group]?.asks.removeAll { $0.nonce == nonce }
        groups[group]?.running.removeAll { $0.nonce == nonce }
        for ask in failed { ask.answer(.unknown(error)) }
        forgetIfEmpty(group)
    }

    /// The place is no more.
    func remove(_ group: ElectionGroup, _ nonce: Nonce, mustHint: Bool = true) {
        guard let place = groups[group]?.places.removeValue(forKey: nonce) else { return }
        if let node = place.node, groups[group]?.leader?.node == node { groups[group]?.leader = nil }
        groups[group]?.isCurrent = false
        forgetIfEmpty(group)
        if mustHint, groups[group]?.places.isEmpty == false { hint(group) }
    }

    func forgetIfEmpty(_ group: ElectionGroup) {
        guard let queue = groups[group], queue.places.isEmpty, queue.asks.isEmpty, queue.running.isEmpty else { return }
        groups[group] = nil
    }

    // MARK: - Giving up

    /// Gives a place up, and does not rest before its node is gone.
    func withdraw(_ group: ElectionGroup, _ nonce: Nonce, _ done: @escaping (ReleaseAnswer) -> Void) {
        guard let place = groups[group]?.places[nonce] else { return done(.notHeld) }
        groups[group]?.places[nonce]?.isWithdrawn = true
        groups[group]?.places[nonce]?.grantedUntil = nil
        groups[group]?.isCurrent = false
        switch place.phase {
        case .creating: groups[group]?.places[nonce]?.onCreated.append { self.withdraw(group, nonce, done) }
        case .unsure: findWithdrawn(group, nonce, done)
        case .queued(let node, _):
            send(.delete(settings.path(group, node.name))) { reply in
                switch reply.code {
                case ZooKeeperCode.ok:
                    self.remove(group, nonce)
                    done(.released)
                case ZooKeeperCode.noNode:
                    self.remove(group, nonce)
                    done(.notHeld)
                default:
                    let needs = "delete nodes in \(self.settings.path(group))"
                    let error = self.settings.failure(reply.code, "leaving the election", needs: needs, group: group)
                    done(.unknown(error))
                }
            }
        }
    }

    private func findWithdrawn(_ group: ElectionGroup, _ nonce: Nonce, _ done: @escaping (ReleaseAnswer) -> Void) {
        find(group, nonce) { outcome in
            switch outcome {
            case .success(true): self.withdraw(group, nonce, done)
            case .success(false):
                self.remove(group, nonce)
                done(.notHeld)
            case .failure(let error): done(.unknown(error))
            }
        }
    }

    /// Looks for the node of a place whose making was never answered; it counts only if this session owns it.
    func find(_ group: ElectionGroup, _ nonce: Nonce, _ then: @escaping (Result<Bool, ElectionError>) -> Void) {
        send(.children(settings.path(group), watch: nil)) { reply in
            guard reply.code == ZooKeeperCode.ok || reply.code == ZooKeeperCode.noNode else {
                return then(.failure(self.unread(reply.code, group)))
            }
            guard let node = Contender.queue(reply.children ?? []).first(where: { $0.nonce == nonce }) else {
                return then(.success(false))
            }
            self.send(.get(self.settings.path(group, node.name), watch: nil)) { reply in
                switch reply.code {
                case ZooKeeperCode.ok:
                    guard let stat = reply.stat, stat.ephemeralOwner == self.session?.id else {
                        return then(.success(false))
                    }
                    self.groups[group]?.places[nonce]?.phase = .queued(node, term: stat.czxid)
                    then(.success(true))
                case ZooKeeperCode.noNode: then(.success(false))
                default: then(.failure(self.unread(reply.code, group)))
                }
            }
        }
    }

    /// After a connection was made again: what was to be deleted and may not have been.
    func resolveWithdrawn() {
        for (group, queue) in groups {
            for (nonce, place) in queue.places where place.isWithdrawn { withdraw(group, nonce) { _ in } }
        }
    }
}
#endif
