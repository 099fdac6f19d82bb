// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionStores
internal import LeaderElection

extension SQLiteLeaseStore {
    func transfer(_ requests: [TransferRequest], until deadline: ElectionInstant) async -> [TransferAnswer] {
        guard !requests.isEmpty else { return [] }
        do {
            let answers: [TransferAnswer] = try await attempt(until: deadline) { connection in
                let domain = clockDomain
                return try write(connection) { now, change in
                    try requests.map { try transferOne($0, connection, now, domain, change) }
                }
            }
            // The heir may be a candidate of this very provider.
            announce()
            return answers
        } catch {
            return requests.map { _ in .unknown(error) }
        }
    }

    private func transferOne(
        _ request: TransferRequest,
        _ connection: SQLiteConnection,
        _ now: ElectionInstant,
        _ domain: String,
        _ change: Int64
    ) throws -> TransferAnswer {
        var term: Int64?
        try connection.handle.run(
            .transfer,
            .text(request.group.name),
            .nonce(request.nonce),
            .integer(request.term),
            .integer(settings.clock.wallNanoseconds / 1_000_000),
            .nonce(request.heirNonce),
            .text(request.heir.id),
            .nonce(request.heir.incarnation),
            .text(MetadataText.encode(request.heir.metadata)),
            .integer(request.leaseDuration.wholeMilliseconds),
            .integer((now + request.leaseDuration).nanoseconds),
            .integer(change),
            .text(domain),
            .integer(now.nanoseconds)
        ) { term = $0.integer(0) }
        return term.map { .transferred(term: $0) } ?? .notHeld
    }

    // MARK: - Notes

    func write(_ requests: [NoteRequest], until deadline: ElectionInstant) async -> [NoteAnswer] {
        guard !requests.isEmpty else { return [] }
        let isNews = requests.contains { $0.isNews }
        do {
            try await attempt(until: deadline) { connection in
                // Announced by it: the log's own event would come late.
                if isNews { _ = try prepareProcessLock(connection) }
                try write(connection) { now, _ in try writeAll(requests, isNews: isNews, connection, now) }
            }
            if isNews { announce() }
            return requests.map { _ in .done }
        } catch {
            return requests.map { _ in .unknown(error) }
        }
    }

    private func writeAll(
        _ requests: [NoteRequest],
        isNews: Bool,
        _ connection: SQLiteConnection,
        _ now: ElectionInstant
    ) throws {
        let wall = settings.clock.wallNanoseconds / 1_000_000
        let domain = clockDomain
        if try !connection.hasNotes() { try connection.handle.execute(LeaseQuery.noteSchema) }
        var number: Int64 = 0
        if isNews { try connection.handle.run(.nextNews) { number = $0.integer(0) } }
        for group in Set(requests.map(\.group)) {
            try connection.handle.run(
                .forgetNotes,
                .text(group.name),
                .text(domain),
                .integer(now.nanoseconds),
                .integer(wall)
            )
        }
        for request in requests {
            try connection.handle.run(
                .writeNote,
                .text(request.group.name),
                .text(request.key),
                .text(domain),
                .integer((now + request.lifetime).nanoseconds),
                .integer(wall + request.lifetime.wholeMilliseconds),
                .text(request.text),
                .integer(request.isNews ? number : 0)
            )
        }
    }

    func remove(_ requests: [NoteRemoval], until deadline: ElectionInstant) async -> [NoteAnswer] {
        guard !requests.isEmpty else { return [] }
        do {
            try await attempt(until: deadline) { connection in
                guard try connection.hasNotes() else { return }
                try write(connection) { _, _ in
                    for request in requests {
                        try connection.handle.run(.removeNote, .text(request.group.name), .text(request.key))
                    }
                }
            }
            return requests.map { _ in .done }
        } catch {
            return requests.map { _ in .unknown(error) }
        }
    }

    func notes(of groups: [ElectionGroup], until deadline: ElectionInstant) async -> [NotesAnswer] {
        do {
            return try await attempt(until: deadline) { connection in
                let domain = clockDomain
                return try connection.handle.transaction(.begin) {
                    guard try connection.hasNotes() else { return groups.map { _ in .found([]) } }
                    let (now, wall) = (settings.clock.now, settings.clock.wallNanoseconds / 1_000_000)
                    return try groups.map { group in
                        var notes: [GroupNote] = []
                        try connection.handle.run(
                            .readNotes,
                            .text(group.name),
                            .text(domain),
                            .integer(now.nanoseconds),
                            .integer(wall)
                        ) { notes.append(GroupNote(key: $0.text(0) ?? "", text: $0.text(1) ?? "")) }
                        return .found(notes)
                    }
                }
            }
        } catch {
            return groups.map { _ in .unknown(error) }
        }
    }
}
#endif
