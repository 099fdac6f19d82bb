// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// One logical server, whatever stands behind it: keeps one connection, made when it is first needed.
///
/// While a new attempt to connect is held back, calls fail at once with the cause of the last failure.
protocol RedisNode: Sendable {
    /// Sends commands in one write; their answers come in order. A command that the server refused is an `.error` value.
    ///
    /// Throws an ``ElectionError`` when the outcome is unknown or nothing could be sent. When `timeout` passes, or the
    /// task is cancelled, the connection is closed, so that nothing abandoned is carried out behind later commands.
    /// - Parameter connection: refuses to send anything over another connection than this one.
    func send(
        _ commands: [RedisCommand],
        on connection: RedisServerInfo.ConnectionID?,
        timeout: Duration
    ) async throws -> [RedisValue]

    /// Runs scripts, by digest and, where the server does not know one, by source; `followers` go out in the same write.
    ///
    /// The first values are the scripts', then come those of the followers. Followers are sent once more after a
    /// script that had to be sent again.
    func run(
        _ calls: [RedisScriptCall],
        followedBy followers: [RedisCommand],
        on connection: RedisServerInfo.ConnectionID?,
        timeout: Duration
    ) async throws -> [RedisValue]

    /// Connects if necessary, and tells what the connection is with.
    func connect(timeout: Duration) async throws -> RedisServerInfo

    /// What the present connection is with; nil while there is none.
    var connectedServer: RedisServerInfo? { get async }
}

extension RedisNode {
    func send(_ commands: [RedisCommand], timeout: Duration) async throws -> [RedisValue] {
        try await send(commands, on: nil, timeout: timeout)
    }

    func run(
        _ script: RedisScript,
        keys: [String],
        arguments: [[UInt8]],
        followedBy followers: [RedisCommand] = [],
        on connection: RedisServerInfo.ConnectionID? = nil,
        timeout: Duration
    ) async throws -> [RedisValue] {
        let call = RedisScriptCall(script, keys: keys, arguments: arguments)
        return try await run([call], followedBy: followers, on: connection, timeout: timeout)
    }
}
#endif
