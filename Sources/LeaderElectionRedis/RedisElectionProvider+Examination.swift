// SPDX-License-Identifier: MIT
#if Redis
package import LeaderElection

extension RedisElectionProvider: ExaminableProvider {
    /// What each server would lose: to eviction, in a restart, in a fail-over.
    package func examine() async throws -> [StoreFinding] {
        var servers: [RedisServerInfo] = []
        for store in election.stores {
            let node = try await store.topology.node(forKey: store.keys.authority)
            let info = try await node.connect(timeout: .seconds(2))
            if !servers.contains(where: { $0.address == info.address }) { servers.append(info) }
        }
        return servers.flatMap { Self.findings($0, options: shared.options) }
    }

    /// The clock of the server that times leases; of the first one, where they are several.
    package func storeClock() async throws -> Int64? {
        guard let store = election.stores.first else { return nil }
        let node = try await store.topology.node(forKey: store.keys.authority)
        let parts = try await node.send([RedisCommand("TIME")], timeout: .seconds(2)).first?.array
        guard let parts, parts.count == 2, let seconds = parts[0].integer, let microseconds = parts[1].integer else {
            return nil
        }
        return (seconds &* 1_000_000 &+ microseconds) &* 1000
    }

    static func findings(_ info: RedisServerInfo, options: RedisProviderOptions) -> [StoreFinding] {
        // A user who may not ask for INFO is warned of that in other words.
        guard info.runID != nil else { return [] }
        return [eviction(info), persistence(info), replicas(info, options)].compactMap(\.self)
    }

    private static func eviction(_ info: RedisServerInfo) -> StoreFinding? {
        guard let policy = info.maxMemoryPolicy else { return nil }
        guard let warning = RedisNotices.eviction(info) else {
            let bound = info.maxMemory.map { $0 == 0 ? ", no bound of memory" : ", memory of \($0 >> 20) MiB" } ?? ""
            return .fine("eviction", "\(info.address): maxmemory-policy \(policy)\(bound)")
        }
        return .trouble(
            "eviction",
            warning,
            why: "a lease that is thrown away is granted to somebody else while its holder still leads",
            remedy: "set maxmemory-policy to noeviction, or use a server of its own for elections"
        )
    }

    private static func persistence(_ info: RedisServerInfo) -> StoreFinding? {
        guard let isAppendOnly = info.isAppendOnly else { return nil }
        guard isAppendOnly else {
            return .trouble(
                "persistence",
                "\(info.address): appendonly no, so that a restart forgets what was written since the last snapshot",
                why: "after each restart nothing is granted until all leases that may be forgotten are over",
                remedy: "set appendonly to yes, or live with a lease without a leader after each restart"
            )
        }
        guard info.fields["aof_last_write_status"] != "err" else {
            return .trouble(
                "persistence",
                "\(info.address): the last write to the append-only file failed",
                why: "the server refuses to write, or forgets what it was told when it restarts",
                remedy: "look at the server's log and at its disk"
            )
        }
        return .fine("persistence", "\(info.address): appendonly yes")
    }

    private static func replicas(_ info: RedisServerInfo, _ options: RedisProviderOptions) -> StoreFinding? {
        guard let count = info.connectedReplicas else { return nil }
        let connected = "\(info.address): \(count) \(count == 1 ? "replica" : "replicas") connected"
        let waits = options.waitForReplicas
        if count < waits {
            return .trouble(
                "replicas",
                "\(connected), \(waits) have to confirm",
                why: "no grant succeeds until so many confirm it",
                remedy: "look after the replicas, or lower wait-for-replicas"
            )
        }
        guard count > 0, waits == 0 else {
            return .fine("replicas", connected + (waits > 0 ? ", grants wait for \(waits)" : ""))
        }
        return .trouble(
            "replicas",
            "\(connected), and grants do not wait for any",
            why: "a fail-over may forget the last grants; nothing is granted for a lease after it, terms still grow",
            remedy: "say wait-for-replicas=1 in the URL to narrow the gap, and fence what is written"
        )
    }
}
#endif
