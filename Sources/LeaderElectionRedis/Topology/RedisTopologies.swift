// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// Makes what the settings describe.
///
/// Nothing is connected before it is needed.
enum RedisTopologies {
    /// For a single server, sentinels, or a cluster.
    ///
    /// - Throws: ``ElectionError/Code/invalidConfiguration``, for instance for a file of certificates that is missing.
    static func make(_ settings: RedisSettings) throws -> any RedisTopology {
        let connector = try RedisConnector(settings)
        switch settings.arrangement {
        case .single(let address): return SingleTopology(connector, address, login(settings))
        case .sentinel(let sentinels, let primary):
            let sentinelLogin = RedisConnector.Login(
                username: settings.sentinelUsername,
                password: settings.sentinelPassword,
                clientName: settings.clientName,
                asksForInfo: false
            )
            let directory = SentinelDirectory(
                connector,
                sentinels: sentinels,
                primary: primary,
                login: sentinelLogin
            )
            return SentinelTopology(directory, login(settings))
        case .cluster(let seeds):
            guard settings.database == 0 else {
                throw ElectionError(
                    .invalidConfiguration,
                    "a Redis cluster has only database 0, not \(settings.database)"
                )
            }
            var pushLogin = login(settings)
            pushLogin.asksForInfo = false
            return ClusterTopology(ClusterMap(connector, seeds: seeds, login: login(settings)), pushLogin: pushLogin)
        case .quorum:
            throw ElectionError(.invalidConfiguration, "a quorum of Redis servers is not one server; make one for each")
        }
    }

    /// One for each of the independent servers of a quorum.
    static func makeQuorum(_ settings: RedisSettings) throws -> [any RedisTopology] {
        guard case .quorum(let addresses) = settings.arrangement else { return [try make(settings)] }
        let connector = try RedisConnector(settings)
        return addresses.map { SingleTopology(connector, $0, login(settings)) }
    }

    private static func login(_ settings: RedisSettings) -> RedisConnector.Login {
        RedisConnector.Login(
            username: settings.username,
            password: settings.password,
            database: settings.database,
            clientName: settings.clientName
        )
    }
}
#endif
