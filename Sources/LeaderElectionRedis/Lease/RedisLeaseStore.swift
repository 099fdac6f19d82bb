// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection
internal import Logging
internal import Synchronization

/// The verbs on the keys of one slot, each with one script call for the whole batch.
final class RedisLeaseStore: Sendable {
    /// What all stores of a provider share.
    final class Shared: Sendable {
        let options: RedisProviderOptions
        let notices: RedisNotices
        /// Tells our own messages from those of others.
        let sender = LeaseWord.nonce(Nonce())
        /// How long the last caller was ready to wait; a reading has no time-out of its own and gets this one.
        let attemptTimeout = Mutex(Duration.seconds(5))
        /// Script calls that were sent.
        let roundTrips = Atomic<Int>(0)

        init(options: RedisProviderOptions, notices: RedisNotices) {
            self.options = options
            self.notices = notices
        }

        /// How long a silent push connection is trusted: as long as a call would be.
        var patience: RedisPushLink.Patience {
            { [weak self] in self?.attemptTimeout.withLock { $0 } ?? .seconds(5) }
        }
    }

    /// What is to be done with the terms of an acquisition.
    enum Terms: Sendable, Hashable {
        /// The server counts them.
        case counted
        /// They come from elsewhere, one for each request.
        case proposed([Int64])
        /// As proposed, and leases that this server has forgotten or let run out are set again.
        case healed([Int64])

        func term(_ index: Int) -> Int64? {
            switch self {
            case .counted: nil
            case .proposed(let terms), .healed(let terms): terms[index]
            }
        }
    }

    struct State {
        var clock = ServerClockGuard()
        var longestLease = Duration.zero
        var hasSeenAuthority = false
        var subscriptions = 0
        var publishCommand = Array("PUBLISH".utf8)
        /// Nil when a connection may have been made since it was last looked at.
        var server: RedisServerInfo?
        /// How often the server may have become another one, and up to which of these times it was looked at since.
        var doubts = (raised: 0, settled: 0)
        var isPushInterrupted = false
        /// The run of the server that answered last.
        var lastServer: String?
        /// When the connection to a server that does not tell who it is was first used.
        var unidentified: (connection: RedisServerInfo.ConnectionID, since: ElectionInstant)?
        var isUnidentified = false
    }

    let topology: any RedisTopology
    let keys: LeaseKeys
    let shared: Shared
    let state = Mutex(State())

    init(topology: any RedisTopology, keys: LeaseKeys, shared: Shared) {
        self.topology = topology
        self.keys = keys
        self.shared = shared
    }

    // MARK: - Verbs

    /// - Returns: no reply if the server was not asked, because it does not tell who it is.
    func acquire(
        _ requests: [AcquireRequest],
        terms: Terms = .counted,
        until deadline: ElectionInstant
    ) async throws -> (statuses: [LeaseReply.Status], reply: LeaseReply?) {
        let longest = requests.lazy.map(\.leaseDuration).max() ?? .zero
        let registered = state.withLock { state in
            state.longestLease = max(state.longestLease, longest)
            return state.longestLease
        }
        let prepared = try await prepare(until: deadline)
        if let hold = identificationHold() { return (requests.map { _ in .deferred(hold) }, nil) }
        let (known, subscriptions) = state.withLock { ($0.hasSeenAuthority, $0.subscriptions) }
        let recognition =
            switch (shared.options.isQuarantineOn, prepared.connection) {
            case (false, _): "off"
            case (true, nil): "info"
            case (true, _?): "connection"
            }
        let mode =
            switch terms {
            case .counted, .proposed: ""
            case .healed: "heal"
            }
        var arguments = header(prepared, prefix: keys.leasePrefix)
        arguments.reserveCapacity(11 + 9 * requests.count)
        arguments += [
            LeaseWord.milliseconds(registered), LeaseWord.text(known ? "1" : "0"), LeaseWord.text(recognition),
            LeaseWord.number(subscriptions), LeaseWord.text(mode), LeaseWord.text(prepared.isInDoubt ? "1" : "0"),
        ]
        for (index, request) in requests.enumerated() {
            arguments.append(LeaseWord.nonce(request.nonce))
            arguments.append(LeaseWord.nonce(request.previousNonce))
            arguments.append(LeaseWord.number(request.observed?.term))
            arguments.append(LeaseWord.number(request.observed?.sequence))
            arguments.append(LeaseWord.milliseconds(request.leaseDuration))
            arguments.append(LeaseWord.text(request.candidate.id))
            arguments.append(LeaseWord.nonce(request.candidate.incarnation))
            arguments.append(LeaseWord.text(MetadataText.encode(request.candidate.metadata)))
            arguments.append(LeaseWord.number(terms.term(index)))
        }
        var (reply, acknowledged) = try await call(
            LeaseScripts.acquire,
            keys: [keys.authority] + requests.map { keys.lease($0.group) },
            arguments,
            prepared,
            isReplicated: true,
            until: deadline
        )
        var isInUse = false
        let statuses = try requests.map { request in
            let status = try reply.status(of: request.group)
            switch status {
            case .granted, .held: isInUse = true
            default: break
            }
            guard case .granted = status, let acknowledged else { return status }
            return .refused(acknowledged)
        }
        try reply.checkEnd()
        // Whoever knows of a lease will notice when all of them are gone.
        if isInUse { state.withLock { $0.hasSeenAuthority = true } }
        return (statuses, reply)
    }

    func renew(_ requests: [RenewRequest], until deadline: ElectionInstant) async throws -> [RenewAnswer] {
        let prepared = try await prepare(until: deadline)
        let registered = state.withLock { $0.hasSeenAuthority && shared.options.isQuarantineOn ? $0.longestLease : nil }
        var arguments = [prepared.limit, registered.map { LeaseWord.milliseconds($0) } ?? []]
        arguments.reserveCapacity(2 + 3 * requests.count)
        for request in requests {
            arguments.append(LeaseWord.nonce(request.nonce))
            arguments.append(LeaseWord.number(request.term))
            arguments.append(LeaseWord.milliseconds(request.leaseDuration))
        }
        var (reply, acknowledged) = try await call(
            LeaseScripts.renew,
            keys: [keys.authority] + requests.map { keys.lease($0.group) },
            arguments,
            prepared,
            isReplicated: true,
            until: deadline
        )
        var answers: [RenewAnswer] = []
        answers.reserveCapacity(requests.count)
        for request in requests {
            if let isRenewed = reply.flag() {
                if let acknowledged, isRenewed {
                    answers.append(.unknown(acknowledged))
                } else {
                    answers.append(isRenewed ? .renewed(leaseDuration: request.leaseDuration) : .lost(nil))
                }
                continue
            }
            switch try reply.status(of: request.group) {
            case .held(let record): answers.append(.lost(record))
            case .refused(let error): answers.append(.unknown(error))
            default: throw LeaseReply.malformed
            }
        }
        try reply.checkEnd()
        // Beside the renewal, which does not depend on it: where nobody waits, the leader is the one to notice a restart.
        if prepared.isInDoubt { _ = try? await acquire([], until: deadline) }
        return answers
    }

    func release(_ requests: [ReleaseRequest], until deadline: ElectionInstant) async throws -> [ReleaseAnswer] {
        let prepared = try await prepare(until: deadline)
        var arguments = header(prepared, prefix: keys.leasePrefix)
        arguments.reserveCapacity(5 + 2 * requests.count)
        for request in requests {
            arguments.append(LeaseWord.nonce(request.nonce))
            arguments.append(LeaseWord.number(request.term))
        }
        var (reply, _) = try await call(
            LeaseScripts.release,
            keys: requests.map { keys.lease($0.group) },
            arguments,
            prepared,
            isReplicated: false,
            until: deadline
        )
        let answers: [ReleaseAnswer] = try requests.map { request in
            if let isReleased = reply.flag() { return isReleased ? .released : .notHeld }
            guard case .refused(let error) = try reply.status(of: request.group) else { throw LeaseReply.malformed }
            return .unknown(error)
        }
        try reply.checkEnd()
        if reply.isToldToFew, let request = requests.first {
            await announceLater(request, prepared, until: deadline)
        }
        return answers
    }

    /// Tells everybody of a release that only few were told of, if none of these wants the lease, or is awake to take it.
    ///
    /// Should this process end before that, the others look when the lease would have ended, as after a crash.
    private func announceLater(_ request: ReleaseRequest, _ prepared: Prepared, until deadline: ElectionInstant) async {
        try? await Task.sleep(for: HintSpread.headStart)
        let term = request.term
        _ = try? await call(
            LeaseScripts.announce,
            keys: [keys.lease(request.group)],
            header(prepared, prefix: keys.leasePrefix) + [LeaseWord.number(term)],
            prepared,
            isReplicated: false,
            until: deadline
        )
    }

    func read(_ groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> (
        statuses: [LeaseReply.Status], reply: LeaseReply
    ) {
        let prepared = try await prepare(until: deadline)
        var (reply, _) = try await call(
            LeaseScripts.read,
            keys: groups.map { keys.lease($0) },
            [prepared.limit],
            prepared,
            isReplicated: false,
            until: deadline
        )
        let statuses = try groups.map { try reply.status(of: $0) }
        try reply.checkEnd()
        return (statuses, reply)
    }

    // MARK: - Calls

    /// - Parameter prefix: what the key of each group begins with.
    func header(_ prepared: Prepared, prefix: String) -> [[UInt8]] {
        [
            prepared.limit, prepared.publishCommand, LeaseWord.text(keys.channel), shared.sender,
            LeaseWord.number(prefix.utf8.count),
        ]
    }

    func call(
        _ script: RedisScript,
        keys: [String],
        _ arguments: [[UInt8]],
        _ prepared: Prepared,
        isReplicated: Bool,
        until deadline: ElectionInstant
    ) async throws -> (LeaseReply, unacknowledged: ElectionError?) {
        let replicas = isReplicated ? shared.options.waitForReplicas : 0
        let remaining = deadline - .now
        // Twice within the time allowed: the script may have to be sent again, and what follows it with it.
        let wait = (remaining * 0.4).wholeMilliseconds
        let sent = ElectionInstant.now
        do {
            guard remaining > .zero else {
                throw ElectionError(.timedOut, "connecting to \(prepared.address) took all the time allowed")
            }
            shared.roundTrips.add(1, ordering: .relaxed)
            let values = try await prepared.node.run(
                script,
                keys: keys,
                arguments: arguments,
                followedBy: replicas > 0 ? [RedisCommand("WAIT", String(replicas), String(max(1, wait)))] : [],
                on: prepared.connection,
                timeout: remaining
            )
            guard values.count == (replicas > 0 ? 2 : 1) else { throw LeaseReply.malformed }
            if case .error(let error) = values[0] { throw error.electionError(prepared.address) }
            let reply = try LeaseReply(values[0])
            await took(reply, sent: sent, prepared)
            let unacknowledged = replicas > 0 ? Self.shortage(values[1], replicas, prepared.address) : nil
            return (reply, unacknowledged)
        } catch {
            // Whatever comes next may be another connection, to another server.
            state.withLock { $0.server = nil }
            throw error
        }
    }

    private static func shortage(_ value: RedisValue, _ replicas: Int, _ address: String) -> ElectionError? {
        switch value {
        case .integer(let count) where count >= replicas: nil
        case .integer(let count):
            ElectionError(
                .storeUnavailable,
                "only \(count) of the \(replicas) replicas that waitForReplicas asks for have confirmed; look after "
                    + "the replicas of \(address), or ask for fewer"
            )
        case .error(let error): error.electionError(address)
        default: LeaseReply.malformed
        }
    }
}
#endif
