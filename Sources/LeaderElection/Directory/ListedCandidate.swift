// SPDX-License-Identifier: MIT

/// A candidate that waits for leadership, as it describes itself to others.
///
/// For people and for handing leadership over on purpose; it takes no part in deciding who leads. A candidate that died
/// stays listed for half a minute or for three leases, whichever is longer.
public struct ListedCandidate: Hashable, Sendable {
    /// Who it is, with its metadata.
    public var candidate: Candidate
    /// How much it should be preferred to others; see ``ElectionConfiguration/priority``.
    public var priority: Int
    /// Whether it would take leadership now: false while it is suspended, unhealthy, or stands down.
    public var isEligible: Bool
    /// What its last health check said, from 0 to 1; nil if it has none.
    public var health: Double?
    /// Since when it waits, in milliseconds since 1970 by its own wall clock.
    public var waitingSince: Int64
    /// How many stand before it in the store's queue, whoever leads included, so that 1 is next; nil where the store has
    /// no queue (see ``QueueingProvider``), or the candidate does not stand in it at this moment.
    public var position: Int?
    /// The nonce with which it asks for the lease.
    package var nonce: Nonce
    /// The offer of leadership that it is ready to take.
    package var ready: Nonce?
    /// The offer of leadership that it could not get ready for.
    package var unready: Nonce?

    package init(
        candidate: Candidate,
        priority: Int,
        isEligible: Bool,
        health: Double?,
        waitingSince: Int64,
        nonce: Nonce,
        ready: Nonce? = nil,
        unready: Nonce? = nil
    ) {
        self.candidate = candidate
        self.priority = priority
        self.isEligible = isEligible
        self.health = health
        self.waitingSince = waitingSince
        self.nonce = nonce
        self.ready = ready
        self.unready = unready
    }
}

extension NoteKeepingProvider {
    /// Who waits for leadership of a group, the preferred and then the longest waiting first; whoever leads is not among
    /// them.
    ///
    /// - Throws: an ``ElectionError`` if the store cannot be read.
    public func candidates(in group: ElectionGroup) async throws -> [ListedCandidate] {
        switch try await notes(of: [group]).first {
        case .found(let notes):
            let listed = DirectoryNotes(notes).candidates
            guard !listed.isEmpty, let store = self as? any QueueingProvider,
                let queue = try? await store.queues(of: [group]).first
            else { return listed }
            return queue.placing(listed)
        case .unknown(let error): throw ElectionError.wrapping(error)
        case nil: throw ElectionError(.storeCorrupted, "the store gave no answer for the group", group: group.name)
        }
    }
}
