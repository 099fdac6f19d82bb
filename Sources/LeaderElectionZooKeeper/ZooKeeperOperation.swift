// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper
internal import LeaderElection

/// A request to the servers.
enum ZooKeeperOperation {
    enum Kind { case persistent, container, ephemeral, candidate }

    case create(String, [UInt8], Kind)
    case delete(String)
    case beat(String)
    case set(String, [UInt8])
    /// All of them or none.
    case all([ZooKeeperChange])
    case get(String, watch: WatchedNode?)
    case children(String, watch: WatchedNode?)
    /// Reads a node, and has us told of its next change.
    case news(String, NewsSlot)
}

/// A node that we are told of once when it goes.
struct WatchedNode {
    let group: ElectionGroup
    /// Nil for the group's own node, whose children are watched.
    let node: Contender?
    let path: String
    /// For somebody who takes no part in the group.
    var isOnlooker = false
}

/// A request that waits for its turn.
typealias WaitingRequest = (operation: ZooKeeperOperation, handler: ZooKeeperStore.Handler)

extension ZooKeeperStore {
    /// How many requests are with the servers at once: enough to keep them busy, and so few that a heartbeat that is
    /// sent behind them is answered soon.
    private var window: Int { 512 }
    /// When a connection is made again, the library names all watches to the server in one packet, which must not
    /// exceed the megabyte that servers accept.
    var watchBudget: Int { 800_000 }

    /// Hands a request over, after all that were sent before.
    ///
    /// - Parameter isUrgent: even if many are under way. It may then overtake others that wait to be sent.
    func send(_ operation: ZooKeeperOperation, isUrgent: Bool = false, _ handler: @escaping Handler) {
        guard !isUrgent, inFlight >= window || !backlog.isEmpty else { return handOver(operation, handler) }
        backlog.append((operation, handler))
    }

    /// Hands a request over that no election waits for, after all of its kind, once there is little else to do.
    func sendUnhurried(_ operation: ZooKeeperOperation, _ handler: @escaping Handler) {
        guard !hasRoomForMore || !backlog.isEmpty || !unhurried.isEmpty else { return handOver(operation, handler) }
        unhurried.append((operation, handler))
    }

    /// Whether so little is under way that what nobody waits for takes its turn.
    var hasRoomForMore: Bool { inFlight < window / 8 }

    func sendBacklog() {
        while inFlight < window, let next = backlog.popFirst() { handOver(next.operation, next.handler) }
        while backlog.isEmpty, hasRoomForMore, let next = unhurried.popFirst() {
            handOver(next.operation, next.handler)
        }
    }

    private func handOver(_ operation: ZooKeeperOperation, _ handler: @escaping Handler) {
        lastRequest += 1
        let id = lastRequest
        handlers[id] = handler
        inFlight += 1
        sentCount += 1
        let code = perform(operation, id)
        guard code != ZooKeeperCode.ok else { return }
        // Never at once: whoever sends is not prepared for the answer yet.
        thread.execute { [weak self] in
            self?.assumeIsolated { store in
                store.replied(id, ZooKeeperReply(code))
                store.sendBacklog()
            }
        }
    }

    private func perform(_ operation: ZooKeeperOperation, _ id: UInt64) -> Int32 {
        guard let session else { return ZooKeeperCode.closing }
        let context = session.inbox.context(id)
        let handle = session.handle
        let isCreatorOnly = settings.credentials != nil
        return switch operation {
        case .create(let path, let data, let kind):
            handle.create(path, data, isCreatorOnly: isCreatorOnly, mode: kind.mode, context)
        case .delete(let path): handle.delete(path, context)
        case .beat(let path): handle.set(path, [], context)
        case .set(let path, let data): handle.set(path, data, context)
        case .all(let changes): handle.carryOut(changes, isCreatorOnly: isCreatorOnly, context)
        case .get(let path, let watch): handle.get(path, isWatched: register(watch, id), context)
        case .children(let path, let watch): handle.children(path, isWatched: register(watch, id), context)
        case .news(let path, let slot):
            handle.get(path, isWatched: registerNews(slot, id), context)
        }
    }

    func replied(_ id: UInt64, _ reply: ZooKeeperReply) {
        guard let handler = handlers.removeValue(forKey: id) else { return }
        inFlight -= 1
        if reply.code != ZooKeeperCode.ok {
            unregister(id)
            newsWatches[id] = nil
        }
        handler(reply)
    }

    // MARK: Watches

    private func register(_ watch: WatchedNode?, _ id: UInt64) -> Bool {
        guard let watch, watchIDs[watch.path] == nil else { return false }
        let cost = watch.path.utf8.count + 4
        guard watchedBytes + cost <= watchBudget else {
            warn(
                "watches",
                ElectionError(
                    .storeUnsuitable,
                    "one session of \(settings.servers) cannot watch more nodes than it does now; who waits in further "
                        + "groups looks only now and then. Use another provider for a part of the groups"
                )
            )
            return false
        }
        watchedBytes += cost
        watched[id] = watch
        watchIDs[watch.path] = id
        return true
    }

    @discardableResult
    func unregister(_ id: UInt64) -> WatchedNode? {
        guard let watch = watched.removeValue(forKey: id) else { return nil }
        watchIDs[watch.path] = nil
        watchedBytes -= watch.path.utf8.count + 4
        return watch
    }
}

extension ZooKeeperOperation.Kind {
    var mode: Int32 {
        switch self {
        case .persistent: ZOO_PERSISTENT
        case .container: ZOO_CONTAINER
        case .ephemeral: ZOO_EPHEMERAL
        case .candidate: ZOO_EPHEMERAL_SEQUENTIAL
        }
    }
}
#endif
