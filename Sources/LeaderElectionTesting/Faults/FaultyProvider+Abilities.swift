// SPDX-License-Identifier: MIT

public import LeaderElection

extension FaultyProvider: NoteKeepingProvider {
    /// Passed on as the rules permit; `.unknown` if the wrapped provider keeps no notes.
    ///
    /// - Throws: what the wrapped provider throws, for what is not allowed in a note before any rule is asked.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return try await pass(.writeNotes, requests, group: \.group, unknown: NoteAnswer.unknown) { requests in
            guard let keeper = self.wrapped as? any NoteKeepingProvider else {
                return requests.map { _ in .unknown(self.inability("keeps no notes")) }
            }
            return try await keeper.write(requests)
        }
    }

    /// Passed on as the rules permit; `.unknown` if the wrapped provider keeps no notes.
    ///
    /// - Throws: what the wrapped provider throws, for a key that is not allowed before any rule is asked.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return try await pass(.removeNotes, requests, group: \.group, unknown: NoteAnswer.unknown) { requests in
            guard let keeper = self.wrapped as? any NoteKeepingProvider else {
                return requests.map { _ in .unknown(self.inability("keeps no notes")) }
            }
            return try await keeper.remove(requests)
        }
    }

    /// Passed on as the rules permit; `.unknown` if the wrapped provider keeps no notes.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        try await pass(.readNotes, groups, group: \.self, unknown: NotesAnswer.unknown) { groups in
            guard let keeper = self.wrapped as? any NoteKeepingProvider else {
                return groups.map { _ in .unknown(self.inability("keeps no notes")) }
            }
            return try await keeper.notes(of: groups)
        }
    }

    private func inability(_ what: String) -> ElectionError {
        ElectionError(.storeUnsuitable, "the wrapped \(type(of: wrapped)) \(what); wrap another provider")
    }
}

extension FaultyProvider: TransferringProvider {
    /// Passed on as the rules permit; `.refused` if the wrapped provider cannot transfer.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        try await pass(.transfer, requests, group: \.group, unknown: TransferAnswer.unknown) { requests in
            guard let transferring = self.wrapped as? any TransferringProvider else {
                return requests.map { _ in .refused(reason: "the wrapped \(type(of: self.wrapped)) cannot transfer") }
            }
            return try await transferring.transfer(requests)
        }
    }
}
