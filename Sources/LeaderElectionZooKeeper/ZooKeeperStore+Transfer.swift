// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import ElectionStores
internal import LeaderElection

/// Making a candidate the first one of the queue, by deleting those before it in one step.
///
/// They are the leader and candidates of ours, who find their nodes gone and stand in line anew. Those of other clients
/// would take it for a failure, so that nobody is moved past them.
extension ZooKeeperStore {
    private var maximumAttempts: Int { 8 }

    func transfer(_ requests: [TransferRequest]) async -> [TransferAnswer] {
        await answering(requests, timeout: { $0.timeout }, unknown: { .unknown($0) }) { batch in
            for (index, request) in requests.enumerated() { self.handOver(request) { batch.settle(index, $0) } }
        }
    }

    /// The node by which the request's lease is held.
    private func leadingNode(_ request: TransferRequest) -> Contender? {
        guard let place = groups[request.group]?.places[request.nonce], !place.isWithdrawn, place.term == request.term,
            let end = place.grantedUntil, end > .now
        else { return nil }
        return place.node
    }

    private func handOver(_ request: TransferRequest, attempt: Int = 0, _ done: @escaping (TransferAnswer) -> Void) {
        guard leadingNode(request) != nil else { return done(.notHeld) }
        guard request.heirNonce != request.nonce else {
            return done(.refused(reason: "\"\(request.heir.id)\" leads already"))
        }
        guard attempt < maximumAttempts else { return done(.refused(reason: "the queue changes too fast")) }
        send(.children(settings.path(request.group), watch: nil)) { reply in
            guard reply.code == ZooKeeperCode.ok else {
                if reply.code == ZooKeeperCode.noNode { return done(.notHeld) }
                return done(.unknown(self.failure(reply, request)))
            }
            let queue = Contender.queue(reply.children ?? [])
            guard let own = self.leadingNode(request), queue.first == own else { return done(.notHeld) }
            guard let heir = queue.firstIndex(where: { $0.nonce == request.heirNonce }) else {
                return done(.refused(reason: "\"\(request.heir.id)\" does not stand in the queue (any more)"))
            }
            self.read(request, Array(queue[1...heir]), attempt, done)
        }
    }

    /// Reads who stands behind the leader; the heir is the last of them.
    private func read(
        _ request: TransferRequest,
        _ nodes: [Contender],
        _ attempt: Int,
        _ done: @escaping (TransferAnswer) -> Void
    ) {
        let batch = AnswerBatch<ZooKeeperReply>(nodes.count) { replies in
            if let failed = replies.first(where: { $0.code != ZooKeeperCode.ok }) {
                guard failed.code == ZooKeeperCode.noNode else { return done(.unknown(self.failure(failed, request))) }
                return self.handOver(request, attempt: attempt + 1, done)
            }
            for (node, reply) in zip(nodes, replies) {
                if let reason = self.objection(to: node, reply, request) { return done(.refused(reason: reason)) }
            }
            guard let term = replies.last?.stat?.czxid, term > request.term else {
                return done(.refused(reason: "\"\(request.heir.id)\" would lead in a term that is not larger"))
            }
            self.move(request, nodes, term: term, attempt, done)
        }
        for (index, node) in nodes.enumerated() {
            send(.get(settings.path(request.group, node.name), watch: nil)) { batch.settle(index, $0) }
        }
    }

    private func objection(to node: Contender, _ reply: ZooKeeperReply, _ request: TransferRequest) -> String? {
        guard let stat = reply.stat, let ledger = session?.ledger else { return "the session has just ended" }
        if node.nonce != nil, CandidateRecord.isOurs(reply.data ?? []) { return nil }
        let record = CandidateRecord.decode(
            reply.data ?? [],
            node: node,
            stat: stat,
            sessionTimeout: ledger.timeout
        )
        return
            "\"\(record.holder.id)\", a candidate of another client, stands before \"\(request.heir.id)\" in the queue and "
            + "cannot be asked to wait"
    }

    private func move(
        _ request: TransferRequest,
        _ nodes: [Contender],
        term: Int64,
        _ attempt: Int,
        _ done: @escaping (TransferAnswer) -> Void
    ) {
        let (group, nonce) = (request.group, request.nonce)
        guard let own = leadingNode(request) else { return done(.notHeld) }
        let paths = nodes.map { settings.path(group, $0.name) }
        // Its watch is told before we are, and what we give up ourselves is no loss.
        groups[group]?.places[nonce]?.isWithdrawn = true
        let changes =
            paths.suffix(1).map { ZooKeeperChange.check($0) } + [.delete(settings.path(group, own.name))]
            + paths.dropLast().map { .delete($0) }
        send(.all(changes)) { reply in
            switch reply.code {
            case ZooKeeperCode.ok:
                self.remove(group, nonce)
                done(.transferred(term: term))
            case _ where ZooKeeperCode.isUnsure(reply.code):
                // Whoever asked leads no more, whatever came of it.
                self.withdraw(group, nonce) { _ in }
                done(.unknown(self.failure(reply, request)))
            case ZooKeeperCode.noNode:
                self.keep(group, nonce)
                self.handOver(request, attempt: attempt + 1, done)
            default:
                self.keep(group, nonce)
                done(.refused(reason: self.failure(reply, request).message))
            }
        }
    }

    /// It was not moved after all, and ends when it would have.
    private func keep(_ group: ElectionGroup, _ nonce: Nonce) {
        groups[group]?.places[nonce]?.isWithdrawn = false
        guard let end = groups[group]?.places[nonce]?.grantedUntil else { return }
        nextExpiry = min(nextExpiry, end)
        beatSoon()
    }

    private func failure(_ reply: ZooKeeperReply, _ request: TransferRequest) -> ElectionError {
        settings.failure(reply.code, "handing the lease over", group: request.group)
    }
}
#endif
