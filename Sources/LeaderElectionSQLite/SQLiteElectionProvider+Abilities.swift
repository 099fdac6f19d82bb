// SPDX-License-Identifier: MIT
#if SQLite
public import LeaderElection

extension SQLiteElectionProvider: NoteKeepingProvider {
    /// One write transaction for all notes, which also forgets the expired ones of the same groups.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a note that is not allowed.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return await store.write(requests, until: Self.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One write transaction for all notes.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a key that is not allowed.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return await store.remove(requests, until: Self.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// One read transaction for all groups.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        await store.notes(of: groups, until: Self.deadline(.seconds(1)))
    }
}

extension SQLiteElectionProvider: TransferringProvider {
    /// One write transaction for all leases.
    ///
    /// Until the heir asks, its lease ends only when its time is up: the death of its process is noticed from then on.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        await store.transfer(requests, until: Self.deadline(requests.lazy.map(\.timeout).min()))
    }
}
#endif
