// SPDX-License-Identifier: MIT

/// Elections among the tasks of one process, and the model that every other provider is measured by.
///
/// Use it in tests, in development, and wherever only one process runs. Calls answer at once, on the caller's thread.
/// A provider that goes away leaves its leases behind until they run out, as a process that crashes does.
public final class InMemoryElectionProvider: PushingProvider, NoteKeepingProvider, TransferringProvider {
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

    /// Answers at once; never answers `.unknown`.
    ///
    /// - Throws: ``ElectionError/Code/invalidConfiguration`` as ``NoteRequest/validate()`` does, before any is written.
    public func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return requests.map { store.write($0) }
    }

    /// Answers at once; never answers `.unknown`.
    ///
    /// - Throws: ``ElectionError/Code/invalidConfiguration`` as ``NoteRemoval/validate()`` does, before any is removed.
    public func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        for request in requests { try request.validate() }
        return requests.map { store.remove($0) }
    }

    /// Answers at once; never throws and never answers `.unknown`.
    public func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        groups.map { .found(store.notes(of: $0)) }
    }

    /// Answers at once; never throws and never answers `.refused` or `.unknown`.
    public func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        requests.map { store.transfer($0) }
    }

    /// Hints of all releases, expiries, takeovers and notes in the store, those of this provider included.
    ///
    /// A release is told on the thread of the one who releases to the first few, in the order in which they came; to the
    /// others, as an expiry, on the thread of the clock's timers.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        store.subscribe(receive)
    }
}

extension ElectionProvider where Self == InMemoryElectionProvider {
    /// A participant in the elections of this process.
    public static var inMemory: InMemoryElectionProvider { InMemoryElectionProvider() }
}
