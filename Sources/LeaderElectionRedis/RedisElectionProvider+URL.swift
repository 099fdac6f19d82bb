// SPDX-License-Identifier: MIT
#if Redis
public import LeaderElection
public import Logging

extension RedisElectionProvider {
    /// Names the servers by a URL, such as `redis://user:password@host:6379/0?prefix=app`.
    ///
    /// Options behind the question mark that are meant for the election: `prefix`, `wait-for-replicas` (a number),
    /// `cluster-spread` (a number of slots), and `quarantine` (`on` or `off`). They win over `options`.
    ///
    /// - Parameters:
    ///   - url: where the servers are, and how to get in; never logged.
    ///   - options: how the election uses them.
    ///   - logger: told about servers that were replaced, and about settings of theirs that weaken the guarantees.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a URL that cannot be understood.
    public convenience init(
        url: String,
        options: RedisProviderOptions = RedisProviderOptions(),
        logger: Logger? = nil
    ) throws {
        let parsed = try RedisURL(url, recognizing: Self.urlOptions)
        try self.init(parsed.settings, options: try Self.merge(parsed.options, into: options), logger: logger)
    }

    static let urlOptions: Set<String> = ["prefix", "wait-for-replicas", "cluster-spread", "quarantine"]

    static func merge(_ given: [String: String], into options: RedisProviderOptions) throws -> RedisProviderOptions {
        var options = options
        if let prefix = given["prefix"] { options.prefix = prefix }
        if let count = given["wait-for-replicas"] {
            guard let number = Int(count) else { throw unusable("wait-for-replicas", "a number of replicas") }
            options.waitForReplicas = number
        }
        if let count = given["cluster-spread"] {
            guard let number = Int(count) else { throw unusable("cluster-spread", "a number of slots") }
            options.clusterLayout = .spread(over: number)
        }
        switch given["quarantine"] {
        case nil: break
        case "on": options.isQuarantineOn = true
        case "off": options.isQuarantineOn = false
        default: throw unusable("quarantine", "on or off")
        }
        return options
    }

    private static func unusable(_ name: String, _ values: String) -> ElectionError {
        ElectionError(.invalidConfiguration, "the option \(name) of the redis URL is not understood; give \(values)")
    }
}

extension ElectionProvider where Self == RedisElectionProvider {
    /// Elections in the Redis or Valkey servers that a URL names.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a URL that cannot be understood.
    public static func redis(
        _ url: String,
        prefix: String = "leader-election",
        waitForReplicas: Int = 0,
        logger: Logger? = nil
    ) throws -> RedisElectionProvider {
        let options = RedisProviderOptions(prefix: prefix, waitForReplicas: waitForReplicas)
        return try RedisElectionProvider(url: url, options: options, logger: logger)
    }
}
#endif
