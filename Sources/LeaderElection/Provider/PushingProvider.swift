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
    /// Anything may have changed: the push channel was away or has overflowed.
    case resync
}
