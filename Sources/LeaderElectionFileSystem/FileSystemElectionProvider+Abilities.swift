// SPDX-License-Identifier: MIT

public import LeaderElection

extension FileSystemElectionProvider: NoteKeepingProvider {
    /// Replaces the file of each note in one step; nothing waits for a disk.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a note that is not allowed, and what
    ///   ``acquire(_:)`` throws for the directory.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return try await store.write(requests)
    }

    /// Removes the file of each note.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a key that is not allowed, and what
    ///   ``holders(of:)`` throws for the directory.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return try await store.remove(requests)
    }

    /// Reads the files in the folder of each group.
    ///
    /// - Throws: what ``holders(of:)`` throws for the directory.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        try await store.notes(of: groups)
    }
}

extension FileSystemElectionProvider: TransferringProvider {
    /// Puts each group aside for the heir, and then unlocks it.
    ///
    /// The kernel's lock itself cannot be handed to another process. Whoever else finds the group free keeps off for as
    /// long as the heir's lease is to last, at most 2 seconds; the heir's acquisition then has the next term, which is
    /// why the answer does not tell it. Until then nobody holds the lease, and the group is read as free.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        await store.transfer(requests)
    }
}
