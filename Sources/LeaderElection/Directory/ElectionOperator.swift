// SPDX-License-Identifier: MIT

/// Asks whoever leads a group to give leadership up, or to hand it to somebody, from outside of its process.
///
/// The request is a note beside the lease that names the present term, so that it never reaches a later leader. The
/// leader carries it out itself; nothing here takes a lease from anybody. A leader that does not answer loses its lease
/// by itself if it is dead or cut off; one that is not listed (``ElectionConfiguration/isListed``) follows nobody.
///
/// ```swift
/// try await ElectionOperator(group: "nightly-billing", provider: provider).transfer(to: "host-b")
/// ```
public struct ElectionOperator: Sendable {
    /// The group whose leader is asked.
    public let group: ElectionGroup
    private let provider: any NoteKeepingProvider
    private let clock: any ElectionClock
    /// How long one call to the store may take.
    private static let callTimeout = Duration.seconds(5)

    /// An operator of one group.
    ///
    /// - Throws: ``ElectionError/Code/invalidGroup``, or ``ElectionError/Code/unsupported`` if the store keeps no notes.
    public init(group: String, provider: any ElectionProvider, clock: some ElectionClock = .system) throws {
        self.group = try ElectionGroup(group)
        guard let provider = provider as? any NoteKeepingProvider else {
            throw ElectionError(.unsupported, "this store has no place for candidates and instructions", group: group)
        }
        self.provider = provider
        self.clock = clock
    }

    /// Has the leader end its term in an orderly way and stand down for the given time.
    ///
    /// - Parameters:
    ///   - time: how long the present leader leaves leadership to others.
    ///   - timeout: how long to wait for the term to end, which may take as long as the leader's work.
    /// - Returns: the term that ended.
    /// - Throws: ``ElectionError/Code/notLeading`` if nobody leads, ``ElectionError/Code/timedOut``, or what the store threw.
    @discardableResult
    public func resign(standingDownFor time: Duration, within timeout: Duration = .seconds(60)) async throws -> Int64 {
        let record = try await leader()
        try await instruct(.resign, record, standingDown: time, within: timeout)
        return record.term
    }

    /// Has the leader give its term up at once, whether or not its work has ended, and stand down for the given time.
    ///
    /// Its work is cancelled. While that still runs, the lease is kept for at most its length to hold others off.
    ///
    /// - Returns: the term that ended.
    /// - Throws: as ``resign(standingDownFor:within:)``.
    @discardableResult
    public func evict(standingDownFor time: Duration, within timeout: Duration = .seconds(60)) async throws -> Int64 {
        let record = try await leader()
        try await instruct(.evict, record, standingDown: time, within: timeout)
        return record.term
    }

    /// Has the leader hand its leadership to another candidate, as ``ElectionService/transfer(to:)`` does.
    ///
    /// - Parameters:
    ///   - candidate: its name, or its incarnation where names are not unique.
    ///   - timeout: how long to wait; the candidate may take 15 seconds or a lease to get ready, and the leader's work its
    ///     time to end.
    /// - Returns: the new leader.
    /// - Throws: ``ElectionError/Code/transferRefused`` with the reason that the leader gave; else as
    ///   ``resign(standingDownFor:within:)``.
    @discardableResult
    public func transfer(to candidate: String, within timeout: Duration = .seconds(60)) async throws -> Leader {
        let record = try await leader()
        let heirs = try await provider.candidates(in: group)
        // What the leader would say as well, but sooner, and also if it is deaf.
        guard heirs.contains(where: { $0.candidate.isMeant(by: candidate) }) else {
            let names = heirs.map { "\"\($0.candidate.id)\"" }.joined(separator: ", ")
            let isLeader = record.holder.id == candidate ? "it leads already; " : ""
            throw ElectionError(
                .transferRefused,
                "no candidate \"\(candidate)\" waits for leadership; \(isLeader)waiting: \(names.isEmpty ? "nobody" : names)",
                group: group.name
            )
        }
        try await instruct(.transfer, record, heir: candidate, within: timeout)
        return Leader(try await leader())
    }

    // MARK: Steps

    private func leader() async throws -> LeaseRecord {
        switch try await provider.holders(of: [group]).first {
        case .held(let record): return record
        case .unknown(let error): throw ElectionError.wrapping(error)
        case .free, nil: throw ElectionError(.notLeading, "nobody leads this group", group: group.name)
        }
    }

    private func instruct(
        _ kind: DirectoryNotes.Instruction.Kind,
        _ record: LeaseRecord,
        heir: String = "",
        standingDown: Duration = .zero,
        within timeout: Duration
    ) async throws {
        let instruction = DirectoryNotes.Instruction(
            id: Nonce(),
            kind: kind,
            term: record.term,
            heir: heir,
            standingDown: standingDown
        )
        let deadline = clock.now + timeout
        // Hints cut the waiting short; without them each look comes by itself.
        let (looks, look) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let subscription = (provider as? any PushingProvider)?.hints { hint in
            if hint.group == nil || hint.group == group { look.yield() }
        }
        defer { subscription?.cancel() }
        try await write(instruction, lifetime: timeout)
        var outcome: Result<Void, any Error>?
        while outcome == nil {
            outcome = try await self.outcome(of: instruction)
            if outcome == nil, clock.now >= deadline {
                outcome = .failure(
                    ElectionError(
                        .timedOut,
                        """
                        not done within \(timeout.text()): the work of \"\(record.holder.id)\" may not end, or \
                        it may be cut off from the store, gone, or not listed
                        """,
                        group: group.name
                    )
                )
            }
            if outcome == nil { try await next(looks, look, before: deadline) }
        }
        // One that was not followed must not be found later; one that was is of no use any more.
        _ = try? await provider.remove([removal(instruction.key), removal("r-\(instruction.id)")])
        try outcome?.get()
    }

    private func next(
        _ looks: AsyncStream<Void>,
        _ look: AsyncStream<Void>.Continuation,
        before deadline: ElectionInstant
    ) async throws {
        let timer = clock.schedule(at: min(deadline, clock.now + .milliseconds(250))) { look.yield() }
        defer { timer.cancel() }
        for await _ in looks { break }
        try Task.checkCancellation()
    }

    /// Nil while nothing is known.
    private func outcome(of instruction: DirectoryNotes.Instruction) async throws -> Result<Void, any Error>? {
        let replies: [DirectoryNotes.Reply]
        switch try await provider.notes(of: [group]).first {
        case .found(let found): replies = DirectoryNotes(found).replies
        case .unknown, nil: replies = []
        }
        if let reply = replies.first(where: { $0.id == instruction.id }), let refusal = reply.refusal {
            return .failure(ElectionError(.transferRefused, refusal, group: group.name))
        }
        switch try await provider.holders(of: [group]).first {
        case .held(let record) where record.term == instruction.term: return nil
        case .held(let record):
            guard instruction.kind == .transfer, !record.holder.isMeant(by: instruction.heir) else {
                return .success(())
            }
            return .failure(
                ElectionError(
                    .transferRefused,
                    "term \(instruction.term) ended, but \"\(record.holder.id)\" leads now, in term \(record.term)",
                    group: group.name
                )
            )
        // A store may keep it for the heir, who has only not come for it yet.
        case .free where instruction.kind == .transfer: return nil
        case .free: return .success(())
        case .unknown, nil: return nil
        }
    }

    private func write(_ instruction: DirectoryNotes.Instruction, lifetime: Duration) async throws {
        let request = NoteRequest(
            group: group,
            key: instruction.key,
            text: instruction.text,
            lifetime: lifetime,
            isNews: true,
            timeout: Self.callTimeout
        )
        if case .unknown(let error) = try await provider.write([request]).first { throw ElectionError.wrapping(error) }
    }

    private func removal(_ key: String) -> NoteRemoval {
        NoteRemoval(group: group, key: key, timeout: Self.callTimeout)
    }
}

extension Leader {
    fileprivate init(_ record: LeaseRecord) {
        self.init(candidate: record.holder, term: record.term)
    }
}
