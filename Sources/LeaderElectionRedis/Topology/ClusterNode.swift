// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// Whichever node of a cluster owns one slot: follows the slot where it goes.
///
/// When the owner is lost, the same commands are sent again to whoever owns the slot then, as long as the time allowed
/// lasts: a command may so be carried out twice. All that elections send bears that: an acquisition is known by its
/// nonce, and every other change is conditional on nonce and term.
struct ClusterNode: RedisNode {
    private static var maximumRedirections: Int { 5 }

    let map: ClusterMap
    let slot: Int

    func send(
        _ commands: [RedisCommand],
        on connection: RedisServerInfo.ConnectionID?,
        timeout: Duration
    ) async throws -> [RedisValue] {
        try await exchange(commands, followers: 0, on: connection, until: .now + timeout)
    }

    func run(
        _ calls: [RedisScriptCall],
        followedBy followers: [RedisCommand],
        on connection: RedisServerInfo.ConnectionID?,
        timeout: Duration
    ) async throws -> [RedisValue] {
        let deadline = ContinuousClock.now + timeout
        return try await RedisScriptRun(calls: calls, followers: followers).perform { commands in
            try await exchange(commands, followers: followers.count, on: connection, until: deadline)
        }
    }

    func connect(timeout: Duration) async throws -> RedisServerInfo {
        let deadline = ContinuousClock.now + timeout
        return try await persisting(until: deadline) { _ in
            let target = try await owner(until: deadline)
            do { return try await target.link.connect(timeout: max(.zero, deadline - .now)) } catch {
                await map.suspect(target.address)
                throw error
            }
        }
    }

    var connectedServer: RedisServerInfo? {
        get async { await map.knownOwner(of: slot)?.link.connectedServer }
    }

    private func owner(until deadline: ContinuousClock.Instant) async throws -> ClusterMap.Target {
        try await map.loop.wait(until: deadline) { [map, slot] in map.assumeIsolated { $0.owner(of: slot) } }
    }

    private func exchange(
        _ commands: [RedisCommand],
        followers: Int,
        on connection: RedisServerInfo.ConnectionID?,
        until deadline: ContinuousClock.Instant
    ) async throws -> [RedisValue] {
        try await persisting(until: deadline, mayRetry: connection == nil) { mayRetry in
            let answers = try await follow(commands, followers: followers, on: connection, until: deadline)
            // Refused because nobody owns the slot yet: not carried out, and worth another try.
            guard mayRetry, let down = answers.lazy.compactMap(\.error).first(where: { $0.prefix == "CLUSTERDOWN" })
            else { return answers }
            throw down.electionError("the cluster")
        }
    }

    /// Tries again after the owner was lost, for as long as there is time for another answer.
    private func persisting<Answer: Sendable>(
        until deadline: ContinuousClock.Instant,
        mayRetry: Bool = true,
        _ call: (_ mayRetry: Bool) async throws -> Answer
    ) async throws -> Answer {
        // What is left is for the last attempt: its cause should be told before nobody waits for it any more.
        let end = deadline - (deadline - .now) * 0.25
        while true {
            // Of a cluster that was never reached the cause is another than a fail-over.
            let mayRetry = mayRetry && ContinuousClock.now < end
            do { return try await call(mayRetry) } catch let error as ElectionError
                where mayRetry && error.code == .storeUnavailable
            {
                guard await map.wasReached else { throw error }
                try await map.loop.wait(until: deadline) { [map] in map.assumeIsolated { $0.refreshSoon() } }
            }
        }
    }

    /// - Parameter followers: how many of the last commands are to go along with the others wherever those go.
    private func follow(
        _ commands: [RedisCommand],
        followers: Int,
        on connection: RedisServerInfo.ConnectionID?,
        until deadline: ContinuousClock.Instant
    ) async throws -> [RedisValue] {
        let leading = commands.count - followers
        var target = try await owner(until: deadline)
        var answers = try await send(commands, to: target, asking: false, on: connection, until: deadline)
        for _ in 0..<Self.maximumRedirections {
            let redirected = (0..<leading).filter { answers[$0].error.flatMap { RedisRedirection($0) } != nil }
            guard let first = redirected.first, let redirection = answers[first].error.flatMap({ RedisRedirection($0) })
            else {
                break
            }
            guard let next = await map.follow(redirection, saidBy: target.address) else { break }
            target = next
            let again = redirected + Array(leading..<commands.count)
            let later = try await send(
                again.map { commands[$0] },
                to: target,
                asking: redirection.isForOnce,
                on: connection,
                until: deadline
            )
            for (index, answer) in zip(again, later) { answers[index] = answer }
        }
        if answers.contains(where: { $0.error?.prefix == "CLUSTERDOWN" }) { await map.suspect(target.address) }
        return answers
    }

    /// - Parameter asking: announces before each command that the node is meant although it does not own the slot yet.
    private func send(
        _ commands: [RedisCommand],
        to target: ClusterMap.Target,
        asking: Bool,
        on connection: RedisServerInfo.ConnectionID?,
        until deadline: ContinuousClock.Instant
    ) async throws -> [RedisValue] {
        let sent = asking ? commands.flatMap { [RedisCommand("ASKING"), $0] } : commands
        do {
            let answers = try await target.link.send(sent, on: connection, timeout: max(.zero, deadline - .now))
            return asking ? stride(from: 1, to: answers.count, by: 2).map { answers[$0] } : answers
        } catch {
            await map.suspect(target.address)
            throw error
        }
    }
}
#endif
