// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

extension RedisLeaseStore {
    func write(_ requests: [NoteRequest], until deadline: ElectionInstant) async throws -> [NoteAnswer] {
        let prepared = try await prepare(until: deadline)
        var arguments = header(prepared, prefix: keys.notesPrefix)
        arguments.reserveCapacity(5 + 4 * requests.count)
        for request in requests {
            arguments.append(LeaseWord.text(request.key))
            arguments.append(LeaseWord.text(request.text))
            arguments.append(LeaseWord.milliseconds(request.lifetime))
            arguments.append(LeaseWord.text(request.isNews ? "1" : ""))
        }
        return try await answers(of: NoteScripts.write, for: requests.map(\.group), arguments, prepared, deadline)
    }

    func remove(_ requests: [NoteRemoval], until deadline: ElectionInstant) async throws -> [NoteAnswer] {
        let prepared = try await prepare(until: deadline)
        let arguments = [[]] + requests.map { LeaseWord.text($0.key) }
        return try await answers(of: NoteScripts.remove, for: requests.map(\.group), arguments, prepared, deadline)
    }

    func notes(of groups: [ElectionGroup], until deadline: ElectionInstant) async throws -> [NotesAnswer] {
        let prepared = try await prepare(until: deadline)
        var (reply, _) = try await call(
            NoteScripts.read,
            keys: groups.map { keys.notes($0) },
            [[]],
            prepared,
            isReplicated: false,
            until: deadline
        )
        let answers = try groups.map { try reply.notes(of: $0, at: prepared.address) }
        try reply.checkEnd()
        return answers
    }

    private func answers(
        of script: RedisScript,
        for groups: [ElectionGroup],
        _ arguments: [[UInt8]],
        _ prepared: Prepared,
        _ deadline: ElectionInstant
    ) async throws -> [NoteAnswer] {
        var (reply, _) = try await call(
            script,
            keys: groups.map { keys.notes($0) },
            arguments,
            prepared,
            isReplicated: false,
            until: deadline
        )
        let answers = try groups.map { try reply.noteAnswer(for: $0, at: prepared.address) }
        try reply.checkEnd()
        return answers
    }
}
#endif
