// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// What a request for a lease comes to, given the entry of its group.
enum Claim: Hashable, Sendable {
    /// Another holds it.
    case held(LeaseRecord)
    /// The request's nonce holds it already.
    case own(KVEntry, StoredRecord)
    /// It is free to the request, as long as the entry does not change.
    case free(KVEntry?)

    /// - Parameter session: the one that this provider would hold it by; nil where candidates time the lease.
    init(_ request: AcquireRequest, at entry: KVEntry?, session: String?) {
        guard let entry, let lease = KVState.lease(entry) else {
            self = .free(entry)
            return
        }
        let state = KVState(entry)
        switch state {
        case .free: self = .free(entry)
        case .locked(let holder, let record?) where record.nonce == request.nonce && holder == session:
            self = .own(entry, record)
        case .observed(let record) where record.nonce == request.nonce && session == nil: self = .own(entry, record)
        case .observed where request.observed == lease.version: self = .free(entry)
        case .locked, .observed:
            let holder = state.record?.nonce
            let isOurs = holder != nil && (holder == request.nonce || holder == request.previousNonce)
            self = isOurs ? .free(entry) : .held(lease)
        }
    }

    /// The term in which the leader before handed the lease over, if it was to this nonce and nobody has had it since.
    static func inheritedTerm(_ nonce: Nonce, at entry: KVEntry?) -> Int64? {
        guard let entry, let record = KVState(entry).record, record.isHandover, record.nonce == nonce else {
            return nil
        }
        return record.term ?? entry.term
    }

    /// Takes a lease that is free, if the entry is still what it was.
    static func operations(
        key: String,
        entry: KVEntry?,
        session: String?,
        record: StoredRecord
    ) -> [KVOperation] {
        let value = record.encoded
        let before = entry.map { KVOperation.checkIndex(key, $0.modifyIndex) }
        // Our own stale lease: given up and taken again in one step.
        let unlock = entry?.session.map { $0 == session ? nil : KVOperation.unlock(key, session: $0, value: []) } ?? nil
        if let session {
            return [before ?? .checkMissing(key), unlock, .lock(key, session: session, value: value)].compactMap(\.self)
        }
        guard let before, let unlock else {
            return [.compareAndSet(key, entry?.modifyIndex ?? 0, flags: KVEntry.observedFlags, value: value)]
        }
        return [before, unlock, .set(key, flags: KVEntry.observedFlags, value: value)]
    }
}
#endif
