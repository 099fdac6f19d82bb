// SPDX-License-Identifier: MIT
#if ZooKeeper
public import LeaderElection

/// Notes are ephemeral nodes below `%notes` in the root path, one node for each group and in it one for each note.
extension ZooKeeperElectionProvider: NoteKeepingProvider {
    /// Makes the notes' nodes, which this provider deletes when their time is up, and the servers with its session.
    ///
    /// A note that is no news and is there already with the same text costs a reading and no write.
    ///
    /// - Throws: what ``/LeaderElection/NoteRequest/validate()`` throws, before anything is changed.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return await store.write(requests)
    }

    /// Deletes the notes' nodes.
    ///
    /// - Throws: what ``/LeaderElection/NoteRemoval/validate()`` throws, before anything is changed.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return await store.remove(requests)
    }

    /// Reads from the server that this session is connected to: one request a group if no note has come or gone.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        await store.notes(of: groups)
    }
}

/// Candidates stand in line: the order of the nodes' numbers.
extension ZooKeeperElectionProvider: QueueingProvider {
    /// Reads from the server that this session is connected to: one request a group.
    public func queues(of groups: [ElectionGroup]) async throws -> [QueueAnswer] {
        await store.queues(of: groups)
    }
}

/// A lease moves by making the heir the first one of the queue.
extension ZooKeeperElectionProvider: TransferringProvider {
    /// Deletes the leader's node, and those of our candidates before the heir, in one `multi` that checks the heir's.
    ///
    /// Those candidates stand in line anew, behind all others. The term is the `czxid` of the heir's node. Refused if a
    /// candidate of another client stands before the heir, or if the heir does not stand in the queue.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        await store.transfer(requests)
    }
}
#endif
