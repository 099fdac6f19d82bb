// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// What the watch remembers of a key.
struct SeenKey: Hashable, Sendable {
    /// Who holds it; equal as long as the term is.
    struct Holder: Hashable, Sendable {
        /// Nil for another program's.
        var nonce: Nonce?
        /// Of the grant; 0 where candidates time the lease, and the nonce tells grants apart.
        var index: UInt64

        var isObserved: Bool { index == 0 }
    }

    var entry: KVEntry
    /// Nil if nobody holds it.
    var holder: Holder?
    /// When the answer that first showed it was here.
    var since: ElectionInstant

    var modifyIndex: UInt64 { entry.modifyIndex }

    init(_ entry: KVEntry, at since: ElectionInstant) {
        self.entry = entry
        self.since = since
        switch KVState(entry) {
        case .free: break
        // An heir that takes what was handed to it has the same term, which is nothing new to the others.
        case .locked(_, let record):
            holder = Holder(nonce: record?.nonce, index: record?.term.map { UInt64(clamping: $0) } ?? entry.modifyIndex)
        case .observed(let record): holder = Holder(nonce: record.nonce, index: 0)
        }
    }

    /// Whether it is still what was written for a lease, or what a renewal under way may have made of it.
    func shows(_ lease: HeldLease) -> Bool {
        guard let holder, holder.nonce == lease.nonce else { return false }
        switch lease.keeper {
        case .session: return modifyIndex == lease.index
        case .candidates: return holder.isObserved
        }
    }

    /// What became of a key.
    struct Change: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            case freed
            case taken(Nonce?)
            case changed
        }

        /// The group's, as it stands in the key.
        var name: String
        var kind: Kind

        /// Nil if it makes no difference to anybody: a renewal.
        ///
        /// A key that is free and was free when last looked at has changed all the same: it was held in between, and
        /// whoever was refused then waits for word of the release.
        init?(_ name: String, from old: SeenKey?, to new: SeenKey?) {
            self.name = name
            switch (old?.holder, new?.holder) {
            case (_, nil): kind = .freed
            case (nil, let holder?): kind = .taken(holder.nonce)
            case (let before?, let holder?) where before == holder: return nil
            case (_?, _?): kind = .changed
            }
        }
    }
}
#endif
