// SPDX-License-Identifier: MIT

/// One store, translated into four verbs.
///
/// A provider holds no timers, spawns no retries, and has no policy: ``ElectionService`` owns all of these. It turns
/// each verb into *one atomic operation of the store*, conditional on `(nonce, term)`.
///
/// What every implementation promises; `ProviderConformance` of `LeaderElectionTesting` checks it:
/// - **One answer per request, in order.** An answer concerns its own group only: one group's failure is its
///   `.unknown`, never an error for the others. Throwing means that the outcome of *all* requests is unknown.
/// - **Unknown is not lost.** Whatever cannot be understood is `.unknown`; it neither extends nor ends a lease.
/// - **Terms only grow.** Each grant to a new nonce has a larger term than every earlier grant of that group, across
///   release, expiry, deletion, and restarts of candidate and store. Where the provider owns the counter this is
///   `max(last + 1, wall clock of the store in milliseconds)`.
/// - **Calls must suspend, not block.** The engine calls on its own thread; blocking work belongs on an executor of
///   the provider. A call may be abandoned: its task is then cancelled, and its outcome counts as unknown.
/// - **Any number of calls may be under way at once**, for the same and for different groups.
///
/// Adopt ``PushingProvider`` as well if the store can tell when a lease ends.
public protocol ElectionProvider: AnyObject, Sendable {
    /// What this store can promise, for how long, and who keeps the time.
    var guarantees: ProviderGuarantees { get }

    /// Refuses a group or a lease that this store cannot serve, before anything is changed.
    ///
    /// - Throws: ``ElectionError/Code/invalidGroup`` or ``ElectionError/Code/invalidConfiguration``.
    func validate(_ group: ElectionGroup, leaseDuration: Duration) throws

    /// Takes each lease that is free or over, and returns cheaply for one that another candidate holds.
    ///
    /// A lease is free to a request if nobody holds it, if its time is up, if ``AcquireRequest/previousNonce`` holds
    /// it, or if it is still the ``AcquireRequest/observed`` version. If ``AcquireRequest/nonce`` already holds it the
    /// answer is `.granted` with the *stored* term, and the expiry is refreshed: this makes a repeated request safe.
    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer]

    /// Prolongs each lease that `(nonce, term)` still holds and whose time is not up; never revives one.
    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer]

    /// Frees each lease that `(nonce, term)` still holds, keeping the group's last term for ever.
    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer]

    /// Reads who holds each lease. A hint for people and for timers: it never grants anything.
    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer]
}

extension ElectionProvider {
    /// Refuses leases shorter than ``ProviderGuarantees/minimumLeaseDuration``.
    public func validate(_ group: ElectionGroup, leaseDuration: Duration) throws {
        guard leaseDuration >= guarantees.minimumLeaseDuration else {
            throw ElectionError(
                .invalidConfiguration,
                "leaseDuration \(leaseDuration.text()) is shorter than this store allows; "
                    + "use at least \(guarantees.minimumLeaseDuration.text())",
                group: group.name
            )
        }
    }
}
