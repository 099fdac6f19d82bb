// SPDX-License-Identifier: MIT
#if Consul
package import LeaderElection
internal import NIOCore

extension ConsulElectionProvider: ExaminableProvider {
    /// Whether the servers keep a majority, and what the token may do, found out by doing it.
    package func examine() async throws -> [StoreFinding] {
        [await store.servers()?.finding, try await store.access().finding].compactMap(\.self)
    }

    /// Consul tells no time: leases are timed by durations alone.
    package func storeClock() async throws -> Int64? { nil }
}

extension ConsulStore {
    private static var patience: Duration { .seconds(3) }

    /// Nil if they are not told either way.
    fileprivate func servers() async -> ConsulServers? {
        // 429 says that not all of them are well, and who is not.
        let health = http.send(.get, "operator/autopilot/health?", within: Self.patience, accepting: 429).reply
        if let reply = try? await health.get(), let servers = try? ConsulServers(health: reply.body) { return servers }
        let peers = http.send(.get, "status/peers?", within: Self.patience).reply
        return try? await ConsulServers(peers: peers.get().body)
    }

    fileprivate func access() async throws -> ConsulAccess {
        // 401 says that there is no access control.
        let reply = try? await http.send(.get, "acl/token/self?", within: Self.patience, accepting: 401).reply.get()
        var access = ConsulAccess(
            prefix: names.prefix,
            mode: settings.mode,
            owner: reply.map { ConsulAccess.Owner($0.body) } ?? .unknown
        )
        access.maySession = try await maySession()
        for root in [names.prefix, names.notes, names.news] where try await !mayWrite(below: root) {
            access.unwritable.append(root)
        }
        return access
    }

    private func maySession() async throws -> Bool {
        guard settings.mode != .cas else { return true }
        let trial = ConsulSessions(http, settings) { _ in }
        do {
            _ = try await trial.session(settings.shortestSession, within: Self.patience).get()
        } catch let error as ElectionError where error.code == .storeRefused {
            return false
        } catch let error as ElectionError where error.code == .invalidConfiguration {
            // Sessions of the servers are longer: the right is there.
            return true
        }
        try? await trial.destroy(except: [], within: Self.patience).get()
        return true
    }

    /// Writes and deletes a key in one transaction, of which nobody sees anything.
    private func mayWrite(below root: String) async throws -> Bool {
        let key = root + "elect-doctor/trial"
        let trial: [KVOperation] = [.set(key, flags: 0, value: []), .delete(key)]
        guard let result = await transact([trial], until: .now + Self.patience).first else { return false }
        do {
            guard let failure = try result.get().failures.first else { return true }
            throw ConsulFailure.operation(failure.text, at: settings.place)
        } catch let error as ElectionError where error.code == .storeRefused {
            return false
        }
    }
}
#endif
