// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

/// A place whose node is still to be made.
struct NewPlace {
    let group: ElectionGroup
    let nonce: Nonce
    /// Whether it is the first one that this session has in the group.
    let isFirst: Bool
}

/// First places in many groups, made with few writes.
///
/// One by one each would cost two writes and a reading. A `multi` that makes the group's node together with the
/// candidate's says with its success that nobody else is in the queue, so that nothing is left to read. It ends with a
/// write to this session's own node, which fails if that session is over, and tells the number that all these changes
/// bear: the czxid of the candidates, which is their term. That is why one `multi` makes one place a group.
extension ZooKeeperStore {
    /// For fewer of them the servers are asked one by one: a group that is there already would cost a round trip.
    private var fewestEntries: Int { 8 }
    /// Servers carry out a `multi` as one piece, which should not hold up others for long.
    private var mostEntries: Int { 128 }
    /// Servers refuse a megabyte.
    private var mostBytes: Int { 200_000 }

    /// Makes the nodes of new places; looks that are sent after this find them.
    func enter(_ places: [NewPlace]) {
        let first = places.filter(\.isFirst)
        guard first.count >= fewestEntries, session?.heartbeatPath != nil else {
            for place in places { enterAlone(place) }
            return
        }
        var chunk: [NewPlace] = []
        var bytes = 0
        for place in first {
            let size = size(of: place)
            if chunk.count >= mostEntries || bytes + size > mostBytes, !chunk.isEmpty {
                enterTogether(chunk, isNew: expectsNewGroups)
                (chunk, bytes) = ([], 0)
            }
            chunk.append(place)
            bytes += size
        }
        enterTogether(chunk, isNew: expectsNewGroups)
        for place in places where !place.isFirst { enterAlone(place) }
    }

    private func size(of place: NewPlace) -> Int {
        guard let candidate = groups[place.group]?.places[place.nonce]?.candidate else { return 0 }
        let metadata = candidate.metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 16 }
        // Two paths, and what the servers add to each change; texts may be escaped.
        return 2 * (candidate.id.utf8.count + metadata + settings.root.utf8.count + place.group.name.utf8.count * 3)
            + 400
    }

    private func enterAlone(_ place: NewPlace) {
        if place.isFirst { send(.create(settings.path(place.group), [], .persistent)) { _ in } }
        createNode(place.group, place.nonce)
    }

    /// - Parameter isNew: the groups' nodes are to be made, too.
    private func enterTogether(_ places: [NewPlace], isNew: Bool, isRepeated: Bool = false) {
        guard !places.isEmpty else { return }
        guard let heartbeat = session?.heartbeatPath else { return enterApart(places) }
        var changes: [ZooKeeperChange] = []
        changes.reserveCapacity(places.count * 2 + 1)
        for place in places {
            groups[place.group]?.isEntering = true
            if isNew { changes.append(.create(settings.path(place.group), [], .persistent)) }
            let path = settings.path(place.group, settings.naming.nodePrefix(place.nonce))
            changes.append(.create(path, groups[place.group]?.places[place.nonce]?.data ?? [], .candidate))
        }
        changes.append(.touch(heartbeat))
        entriesUnderWay += 1
        send(.all(changes)) { reply in
            self.entriesUnderWay = max(0, self.entriesUnderWay - 1)
            self.entered(places, isNew: isNew, isRepeated: isRepeated, reply)
        }
    }

    private func entered(_ places: [NewPlace], isNew: Bool, isRepeated: Bool, _ reply: ZooKeeperReply) {
        let names = reply.children ?? []
        switch reply.code {
        case ZooKeeperCode.ok:
            let term = names.count == places.count ? reply.stat?.mzxid : nil
            expectsNewGroups = isNew
            for (index, place) in places.enumerated() {
                settle(place, term == nil ? nil : Contender(names[index]), term: term, isAlone: isNew)
            }
        case _ where ZooKeeperCode.isUnsure(reply.code): for place in places { settle(place, nil, term: nil) }
        case ZooKeeperCode.nodeExists where isNew && !isRepeated, ZooKeeperCode.noNode where !isNew && !isRepeated:
            enterTogether(stillWanted(places), isNew: !isNew, isRepeated: true)
        default: enterApart(stillWanted(places))
        }
    }

    /// Some of the groups are there and others are not, or something is wrong that each is to be told of.
    private func enterApart(_ places: [NewPlace]) {
        for place in places {
            groups[place.group]?.isEntering = false
            enterAlone(place)
            proceed(place.group)
        }
    }

    /// Without those that were given up in the meantime, whose nodes were not made.
    private func stillWanted(_ places: [NewPlace]) -> [NewPlace] {
        places.filter { place in
            guard let known = groups[place.group]?.places[place.nonce] else { return false }
            guard known.isWithdrawn else { return true }
            groups[place.group]?.isEntering = false
            remove(place.group, place.nonce, mustHint: false)
            fail(place.group, place.nonce, settings.slow)
            for then in known.onCreated { then() }
            proceed(place.group)
            return false
        }
    }

    /// The node of a place was made, or nobody knows whether it was.
    ///
    /// - Parameter isAlone: the group's node was made with it, so that it is the first of the queue.
    private func settle(_ place: NewPlace, _ node: Contender?, term: Int64?, isAlone: Bool = false) {
        let (group, nonce) = (place.group, place.nonce)
        guard let known = groups[group]?.places[nonce] else { return }
        groups[group]?.isEntering = false
        if let node, let term {
            known.phase = .queued(node, term: term)
        } else {
            becameUnsure(group, nonce)
            fail(group, nonce, settings.failure(ZooKeeperCode.connectionLoss, ""))
        }
        let waiting = known.onCreated
        known.onCreated = []
        for then in waiting { then() }
        if isAlone, term != nil, !known.isWithdrawn, let running = groups[group]?.running {
            groups[group]?.running = running.filter { $0.nonce != nonce }
            for ask in running where ask.nonce == nonce { grant(group, ask) }
        }
        proceed(group)
    }

    /// Goes on with the look that waited for the places.
    private func proceed(_ group: ElectionGroup) {
        guard let queue = groups[group], !queue.isEntering else { return }
        if queue.running.isEmpty { finishLook(group) } else { lookAtQueue(group) }
    }
}
#endif
