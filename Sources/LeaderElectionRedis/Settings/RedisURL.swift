// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What a URL says.
///
/// Errors name what is wrong and never repeat the URL, nor any part of it that may hold a secret.
struct RedisURL: Sendable {
    /// The value of a variable.
    typealias Environment = @Sendable (String) -> String?

    static let processEnvironment: Environment = { name in getenv(name).map { String(cString: $0) } }

    static let forms =
        "redis://[user:password@]host[:port][/database], rediss:// for TLS, redis+unix:///path/to.sock, "
        + "redis+sentinel://host:port,…/name, redis+cluster://host:port,… or redis+quorum://host:port,…"

    var settings: RedisSettings
    /// What the options say that are not about connections, by name; all of them are known to the caller.
    var options: [String: String]

    /// - Parameters:
    ///   - recognizing: names of options that the caller will look at; any other unknown option is refused.
    ///   - environment: where options that name a variable find its value.
    init(
        _ text: String,
        recognizing: Set<String> = [],
        environment: Environment = Self.processEnvironment
    ) throws(ElectionError) {
        let parts = try RedisURLParts(text)
        var (usesTLS, kind) = (false, parts.scheme)
        if kind.hasPrefix("valkey") { kind = "redis" + kind.dropFirst(6) }
        if kind.hasPrefix("rediss") {
            usesTLS = true
            kind = "redis" + kind.dropFirst(6)
        }
        var options = RedisURLOptions(parts.options)
        var path = parts.path
        let arrangement: RedisSettings.Arrangement
        switch kind {
        case "redis":
            guard parts.hosts.count == 1, let host = parts.hosts.first else {
                throw Self.error(
                    "it names several hosts; say redis+sentinel, redis+cluster or redis+quorum to say what they are"
                )
            }
            arrangement = .single(host)
        case "redis+unix":
            guard !usesTLS else { throw Self.error("a Unix socket needs no TLS; say redis+unix") }
            guard parts.hosts.isEmpty, path.count > 1 else {
                throw Self.error("a Unix socket is named as redis+unix:///path/to.sock, with three slashes")
            }
            arrangement = .single(.socket(path: path))
            path = ""
        case "redis+sentinel":
            let pieces = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
            guard let name = pieces.first, !name.isEmpty else {
                throw Self.error(
                    "sentinels need the name of what they watch, as in redis+sentinel://host:26379/mymaster"
                )
            }
            arrangement = .sentinel(parts.hosts, primary: name)
            path = pieces.dropFirst().isEmpty ? "" : "/" + pieces.dropFirst().joined(separator: "/")
        case "redis+cluster": arrangement = .cluster(parts.hosts)
        case "redis+quorum":
            guard parts.hosts.count >= 3, parts.hosts.count % 2 == 1 else {
                throw Self.error("a quorum takes an odd number of hosts, at least three; it names \(parts.hosts.count)")
            }
            guard Set(parts.hosts).count == parts.hosts.count else {
                throw Self.error("a quorum takes hosts that are all different; one is named twice")
            }
            arrangement = .quorum(parts.hosts)
        default: throw Self.error("its scheme is not known; use \(Self.forms)")
        }
        settings = RedisSettings(arrangement)
        (settings.username, settings.password) = (parts.username, parts.password)
        settings.database = try Self.database(path: path, &options)
        try options.apply(to: &settings, usesTLS: usesTLS, environment: environment)
        self.options = try options.rest(recognizing: recognizing)
        if case .cluster = arrangement, settings.database != 0 {
            throw Self.error("a cluster has only database 0; leave the database out")
        }
        if case .sentinel = arrangement {
        } else if settings.sentinelPassword != nil {
            throw Self.error("a password for sentinels is given, but no sentinels; say redis+sentinel")
        }
    }

    private static func database(path: String, _ options: inout RedisURLOptions) throws(ElectionError) -> Int {
        let inPath = String(path.drop { $0 == "/" })
        let inOptions = options.take("db")
        guard inPath.isEmpty || inOptions == nil else {
            throw error("it names the database twice, in its path and by the option db; name it once")
        }
        let text = inOptions ?? inPath
        if text.isEmpty { return 0 }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), number <= 1_000_000 else {
            throw error("the database is named by a number such as 0, and nothing may follow it in the path")
        }
        return number
    }

    static func error(_ text: String) -> ElectionError {
        ElectionError(.invalidConfiguration, "the URL of the Redis store: \(text)")
    }
}
#endif
