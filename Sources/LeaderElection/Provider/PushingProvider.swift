// SPDX-License-Identifier: MIT

/// A provider that tells when something may have changed, so that nobody needs to poll.
public protocol PushingProvider: ElectionProvider {
    /// Calls `receive` for each hint, from any thread, until the returned subscription is cancelled or let go.
    ///
    /// A hint may be spurious, late, or missing: it only ever causes a read. After the push channel was interrupted,
    /// send ``ProviderHint/resync``. Called once for all groups that share this provider.
    func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription
}

/// Keeps hints coming while it is alive.
public protocol HintSubscription: Sendable, AnyObject {
    /// Ends the subscription; hints that are under way may still arrive.
    func cancel()
}

/// Word from the store that it is worth asking now.
public enum ProviderHint: Hashable, Sendable {
    /// The lease of this group may have ended or changed hands.
    case changed(ElectionGroup)
    /// The lease of this group was given back; about so many processes hear of it.
    ///
    /// When they are many only some of them ask at once, so that the first is not held up by all the others.
    case freed(ElectionGroup, listeners: Int)
    /// The lease of this group was granted to somebody; about so many processes hear of it.
    ///
    /// Worth a look, but nothing to hurry for.
    case taken(ElectionGroup, listeners: Int)
    /// A note of this group was written; see ``NoteKeepingProvider``. It says nothing about the lease.
    case noted(ElectionGroup)
    /// Anything may have changed: the push channel was away or has overflowed.
    case resync
    /// Something about the store that people should know and that changes nothing by itself: its clock jumped, it may
    /// throw leases away, the push channel is gone. Send it once per change of cause; services report it as an error
    /// event of each of their groups.
    case warning(ElectionError)

    /// The group that the hint is about; nil if it is about all of them.
    public var group: ElectionGroup? {
        switch self {
        case .changed(let group), .freed(let group, _), .taken(let group, _), .noted(let group): group
        case .resync, .warning: nil
        }
    }
}
