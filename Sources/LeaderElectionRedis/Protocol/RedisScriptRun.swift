// SPDX-License-Identifier: MIT
#if Redis

/// Calls of scripts by digest; those that the server did not know are made again with the source.
struct RedisScriptRun: Sendable {
    let calls: [RedisScriptCall]
    let followers: [RedisCommand]

    func perform(_ send: ([RedisCommand]) async throws -> [RedisValue]) async throws -> [RedisValue] {
        var answers = try await send(calls.map(\.byDigest) + followers)
        let forgotten = calls.indices.filter { answers[$0].error?.prefix == "NOSCRIPT" }
        guard !forgotten.isEmpty else { return answers }
        // One script may be called many times: its source is sent once, ahead of the others.
        var known: Set<RedisScript> = []
        let again = forgotten.map { index in
            known.insert(calls[index].script).inserted ? calls[index].bySource : calls[index].byDigest
        }
        let later = try await send(again + followers)
        for (index, answer) in zip(forgotten, later) { answers[index] = answer }
        answers.replaceSubrange(calls.count..., with: later[forgotten.count...])
        return answers
    }
}
#endif
