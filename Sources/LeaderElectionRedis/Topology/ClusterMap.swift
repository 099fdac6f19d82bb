// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// The nodes of a cluster, one link to each that is needed, and who owns which slot.
///
/// The table is read again when a node is lost or a slot has moved, never more than once at a time. Lives on the event
/// loop.
actor ClusterMap {
    private static var timeout: Duration { .seconds(1) }
    /// A cluster that is torn must not be asked over and over.
    private static var pause: TimeAmount { .milliseconds(200) }

    nonisolated let loop: any EventLoop
    private let connector: RedisConnector
    private let seeds: [RedisSettings.Address]
    private let login: RedisConnector.Login
    private var table = ClusterTable()
    private var links: [RedisSettings.Address: RedisLink] = [:]
    private var refreshing: EventLoopFuture<Void>?
    private var refreshedAt = NIODeadline.distantPast
    private var isClosed = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    init(_ connector: RedisConnector, seeds: [RedisSettings.Address], login: RedisConnector.Login) {
        self.connector = connector
        self.seeds = seeds
        self.login = login
        loop = connector.loop
    }

    /// The link to the owner of a slot; reads the table first if the owner is not known.
    func owner(of slot: Int) -> EventLoopFuture<Target> {
        if let address = table.owners[slot] { return loop.makeSucceededFuture(target(address)) }
        return refresh().flatMapThrowing {
            try self.assumeIsolated { map in
                guard let address = map.table.owners[slot] else {
                    throw ElectionError(
                        .storeUnavailable,
                        "no node of the Redis cluster owns slot \(slot); bring back the nodes that are missing"
                    )
                }
                return map.target(address)
            }
        }
    }

    /// A node and how to reach it.
    struct Target: Sendable {
        let address: RedisSettings.Address
        let link: RedisLink
    }

    func knownOwner(of slot: Int) -> Target? { table.owners[slot].map { target($0) } }

    func primaries() -> EventLoopFuture<[RedisLink]> {
        refresh(evenIfRecent: table.primaries.isEmpty).map {
            self.assumeIsolated { map in map.table.primaries.map { map.target($0).link } }
        }
    }

    /// A connection of its own to the owner of a slot, for push.
    func dial(ownerOf slot: Int, _ login: RedisConnector.Login) -> EventLoopFuture<RedisConnection> {
        // Always anew: a channel that has moved away is the usual reason for coming back.
        refresh().flatMap {
            self.assumeIsolated { $0.owner(of: slot) }
        }.flatMap { [connector] target in
            target.link.assumeIsolated { $0.dialSecond { connector.open(target.address, login) } }
        }
    }

    /// What a node said about a slot.
    func follow(_ redirection: RedisRedirection, saidBy node: RedisSettings.Address) -> Target? {
        guard let address = redirection.address(saidBy: node) else { return nil }
        if !redirection.isForOnce {
            table.move(redirection.slot, to: address)
            _ = refresh()
        }
        return target(address)
    }

    /// A node failed: perhaps another has taken its place.
    func suspect(_ address: RedisSettings.Address) { _ = refresh(askingLast: address, evenIfRecent: false) }

    /// Whether any node ever told who owns the slots.
    var wasReached: Bool { !table.primaries.isEmpty }

    /// Reads the table after a moment in which a replica may have taken the place of a lost node.
    func refreshSoon() -> EventLoopFuture<Void> {
        loop.scheduleTask(in: .milliseconds(50)) {}.futureResult.flatMap {
            self.assumeIsolated { $0.refresh(evenIfRecent: false) }
        }.recover { _ in }
    }

    func close() {
        isClosed = true
        for link in links.values { link.assumeIsolated { $0.close() } }
        links = [:]
    }

    private func target(_ address: RedisSettings.Address) -> Target {
        if let link = links[address] { return Target(address: address, link: link) }
        let link = RedisLink(name: "\(address)", loop: loop) { [connector, login] in connector.open(address, login) }
        if isClosed { link.assumeIsolated { $0.close() } } else { links[address] = link }
        return Target(address: address, link: link)
    }

    // MARK: The table

    private func refresh(
        askingLast suspect: RedisSettings.Address? = nil,
        evenIfRecent: Bool = true
    ) -> EventLoopFuture<Void> {
        if let refreshing { return refreshing }
        guard evenIfRecent || NIODeadline.now() - refreshedAt >= Self.pause else {
            return loop.makeSucceededVoidFuture()
        }
        let future = read(candidates(askingLast: suspect)[...], nil).map { (table: ClusterTable) in
            self.assumeIsolated { $0.use(table) }
        }
        refreshing = future
        future.whenComplete { _ in
            self.assumeIsolated { map in
                map.refreshing = nil
                map.refreshedAt = .now()
            }
        }
        return future
    }

    /// Whom to ask: those that are connected, other primaries, what was configured, replicas.
    private func candidates(askingLast suspect: RedisSettings.Address?) -> [RedisSettings.Address] {
        let connected = links.filter { $0.value.assumeIsolated { $0.isConnected } }.map(\.key)
        var candidates: [RedisSettings.Address] = []
        for address in connected + table.primaries + seeds + table.replicas
        where address != suspect && !candidates.contains(address) { candidates.append(address) }
        return candidates + (suspect.map { [$0] } ?? [])
    }

    private func read(
        _ candidates: ArraySlice<RedisSettings.Address>,
        _ cause: ElectionError?
    ) -> EventLoopFuture<ClusterTable> {
        guard let address = candidates.first, !isClosed else {
            let text = "no node of the Redis cluster tells who owns its slots"
            let error = ElectionError(
                cause?.code ?? .storeUnavailable,
                cause.map { "\(text): \($0.message)" } ?? text,
                cause: cause
            )
            return loop.makeFailedFuture(error)
        }
        let link = target(address).link
        let deadline = NIODeadline.now() + TimeAmount(Self.timeout)
        return loop.submit { try RedisRequest([RedisCommand("CLUSTER", "SLOTS")]) }
            .flatMap { request in link.assumeIsolated { $0.request(request, until: deadline) } }
            .flatMapThrowing { answers in try Self.understand(answers[0], address) }
            .flatMapError { error in
                let error = ElectionError.wrapping(error)
                // Of many reasons the one that people can do something about.
                let telling = cause?.code == .storeRefused || cause?.code == .storeUnsuitable ? cause : error
                return self.assumeIsolated { $0.read(candidates.dropFirst(), telling) }
            }
    }

    private static func understand(
        _ answer: RedisValue,
        _ address: RedisSettings.Address
    ) throws(ElectionError) -> ClusterTable {
        if let error = answer.error {
            if error.message.contains("cluster support disabled") {
                throw ElectionError(
                    .storeUnsuitable,
                    "Redis at \(address) is not part of a cluster; say redis:// instead of redis+cluster://",
                    cause: error
                )
            }
            throw error.electionError("\(address)", command: "CLUSTER SLOTS")
        }
        guard let table = ClusterTable(answer, from: address) else {
            throw ElectionError(.storeUnavailable, "Redis at \(address) describes its cluster in a way not understood")
        }
        guard !table.primaries.isEmpty else {
            throw ElectionError(.storeUnavailable, "Redis at \(address) is in a cluster without slots; assign them")
        }
        return table
    }

    private func use(_ table: ClusterTable) {
        self.table = table
        let needed = Set(table.primaries + table.replicas + seeds)
        for (address, link) in links where !needed.contains(address) {
            links[address] = nil
            link.assumeIsolated { $0.close() }
        }
    }
}
#endif
