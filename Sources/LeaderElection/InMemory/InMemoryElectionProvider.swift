// SPDX-License-Identifier: MIT

/// Elections among the tasks of one process, and the model that every other provider is measured by.
///
/// Use it in tests, in development, and wherever only one process runs. Calls answer at once, on the caller's thread.
/// A provider that goes away leaves its leases behind until they run out, as a process that crashes does.
public final class InMemoryElectionProvider: PushingProvider {
    /// Where the leases are kept.
    public let store: InMemoryElectionStore

    /// One more participant in the elections of a store.
    public init(store: InMemoryElectionStore = .shared) {
        self.store = store
    }

    /// One process, timed by the store's clock; releases and expiries are pushed.
    public var guarantees: ProviderGuarantees {
        ProviderGuarantees(
            exclusion: .processLocal,
            expiry: .serverTimed,
            termSource: "max(last + 1, milliseconds of the wall clock)",
            pushesRelease: true,
            pushesCrash: false,
            minimumLeaseDuration: .milliseconds(250)
        )
    }

    /// Answers at once; never throws and never answers `.unknown`.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        requests.map { store.acquire($0) }
    }

    /// Answers at once; never throws and never answers `.unknown`.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        requests.map { store.renew($0) }
    }

    /// Answers at once; never throws and never answers `.unknown`.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        requests.map { store.release($0) }
    }

    /// Answers at once; never throws and never answers `.unknown`.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        groups.map { store.holder(of: $0) }
    }

    /// Hints of all releases, expiries and takeovers in the store, those of this provider included.
    ///
    /// A release is told on the thread of the one who releases, an expiry on the thread of the clock's timer.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        store.subscribe(receive)
    }
}

extension ElectionProvider where Self == InMemoryElectionProvider {
    /// A participant in the elections of this process.
    public static var inMemory: InMemoryElectionProvider { InMemoryElectionProvider() }
}
