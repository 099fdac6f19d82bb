// SPDX-License-Identifier: MIT
#if Consul
public import LeaderElection

/// Notes are keys beside the prefix, in `prefix.news/` while they are news and in `prefix.notes/` otherwise.
extension ConsulElectionProvider: NoteKeepingProvider {
    /// Writes notes as keys that name the time until which they count, up to 32 a transaction.
    ///
    /// - Throws: what ``/LeaderElection/NoteRequest/validate()`` throws, before anything is changed.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        guard !requests.isEmpty else { return [] }
        return await store.write(requests, until: store.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// Deletes the notes' keys, up to 32 notes a transaction.
    ///
    /// - Throws: what ``/LeaderElection/NoteRemoval/validate()`` throws, before anything is changed.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        guard !requests.isEmpty else { return [] }
        return await store.remove(requests, until: store.deadline(requests.lazy.map(\.timeout).min()))
    }

    /// Reads from the servers' leader, 32 groups a transaction, and deletes what has long expired.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        guard !groups.isEmpty else { return [] }
        return await store.notes(of: groups, until: store.deadline(nil))
    }
}

/// A lease moves by a write that fails unless the entry is what it was.
extension ConsulElectionProvider: TransferringProvider {
    /// Writes the heir into the entry, where a session holds it still locked by the leader's, until the heir asks.
    ///
    /// The heir then takes the key over to its own session, in one transaction and without a lock-delay. The term is the
    /// index of the leader's write.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        guard !requests.isEmpty else { return [] }
        return await store.transfer(requests, until: store.deadline(requests.lazy.map(\.timeout).min()))
    }
}
#endif
