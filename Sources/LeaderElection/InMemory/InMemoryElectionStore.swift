// SPDX-License-Identifier: MIT

internal import Synchronization

/// The leases of one process, kept in memory: what an ``InMemoryElectionProvider`` talks to.
///
/// Several providers may share one store, as several processes share a server. Terms grow for as long as the store
/// lives, and start from the wall clock in milliseconds, so that those of a later store are larger still.
public final class InMemoryElectionStore: Sendable {
    /// The store of this process that ``ElectionProvider/inMemory`` uses.
    public static let shared = InMemoryElectionStore()

    private struct State {
        var table = InMemoryLeaseTable()
        var notes = InMemoryNoteTable()
        var alarms: [ElectionGroup: Alarm] = [:]
        var receivers: [(id: UInt64, receive: @Sendable (ProviderHint) -> Void)] = []
        var lastReceiver: UInt64 = 0
    }

    /// The timer that tells of a group's expiry; it is left alone by renewals and set anew when it fires early.
    private struct Alarm {
        var deadline: ElectionInstant
        var timer: (any ElectionTimer)?
    }

    private let clock: any ElectionClock
    private let state = Mutex(State())

    /// An empty store that times its leases by the clock given.
    public init(clock: any ElectionClock = .system) {
        self.clock = clock
    }

    /// One atomic operation, as by ``ElectionProvider/acquire(_:)``; at the clock's present time unless told otherwise.
    package func acquire(_ request: AcquireRequest, at instant: ElectionInstant? = nil) -> AcquireAnswer {
        perform(on: request.group, at: instant) { table, now in
            table.acquire(request, at: now, floor: clock.wallNanoseconds / 1_000_000)
        }
    }

    /// One atomic operation, as by ``ElectionProvider/renew(_:)``.
    package func renew(_ request: RenewRequest, at instant: ElectionInstant? = nil) -> RenewAnswer {
        perform(on: request.group, at: instant) { table, now in table.renew(request, at: now) }
    }

    /// One atomic operation, as by ``ElectionProvider/release(_:)``.
    package func release(_ request: ReleaseRequest, at instant: ElectionInstant? = nil) -> ReleaseAnswer {
        perform(on: request.group, at: instant) { table, now in table.release(request, at: now) }
    }

    /// Reads who holds a lease.
    package func holder(of group: ElectionGroup, at instant: ElectionInstant? = nil) -> HolderAnswer {
        state.withLock { $0.table.holder(of: group, at: instant ?? clock.now) }
    }

    /// One atomic operation, as by ``TransferringProvider/transfer(_:)``.
    package func transfer(_ request: TransferRequest, at instant: ElectionInstant? = nil) -> TransferAnswer {
        perform(on: request.group, at: instant) { table, now in
            table.transfer(request, at: now, floor: clock.wallNanoseconds / 1_000_000)
        }
    }

    /// Keeps a note that was validated, as by ``NoteKeepingProvider/write(_:)``.
    package func write(_ request: NoteRequest, at instant: ElectionInstant? = nil) -> NoteAnswer {
        state.withLock { $0.notes.write(request, at: instant ?? clock.now) }
        if request.isNews { tell(.noted(request.group)) }
        return .done
    }

    /// Removes a note, as by ``NoteKeepingProvider/remove(_:)``.
    package func remove(_ request: NoteRemoval) -> NoteAnswer {
        state.withLock { $0.notes.remove(request) }
        return .done
    }

    /// Reads the notes of a group in the order of their keys.
    package func notes(of group: ElectionGroup, at instant: ElectionInstant? = nil) -> [GroupNote] {
        state.withLock { $0.notes.notes(of: group, at: instant ?? clock.now) }
    }

    /// How many notes take up memory, those included that have expired.
    package var noteCount: Int { state.withLock { $0.notes.count } }

    /// Everything that the store knows of leases, for checkers.
    package var records: [ElectionGroup: InMemoryLeaseTable.Record] {
        state.withLock { $0.table.records }
    }

    /// Loses every record, terms and notes included, and tells nobody: a store whose data is gone.
    package func wipe() {
        state.withLock { state in
            state.table.removeAll()
            state.notes.removeAll()
        }
    }

    /// Hands every hint to `receive` until the subscription ends.
    package func subscribe(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let id = state.withLock { state in
            state.lastReceiver += 1
            state.receivers.append((state.lastReceiver, receive))
            return state.lastReceiver
        }
        return InMemoryHintSubscription(store: self, id: id)
    }

    fileprivate func unsubscribe(_ id: UInt64) {
        // The closure is let go outside the lock: what it keeps alive may end in a call to this store.
        _ = state.withLock { state in
            state.receivers.firstIndex { $0.id == id }.map { state.receivers.remove(at: $0) }
        }
    }

    private func perform<Answer: Sendable>(
        on group: ElectionGroup,
        at instant: ElectionInstant?,
        _ operation: (inout InMemoryLeaseTable, ElectionInstant) -> (Answer, InMemoryLeaseTable.Change)
    ) -> Answer {
        // The clock is read inside, so that operations take effect in the order of their instants.
        let (answer, change) = state.withLock { operation(&$0.table, instant ?? clock.now) }
        switch change {
        case .none: break
        case .prolonged(let deadline): setAlarm(for: group, at: deadline)
        case .changedHands(let deadline):
            setAlarm(for: group, at: deadline)
            tell(.changed(group))
        case .released: tell(.changed(group))
        }
        return answer
    }

    private func tell(_ hint: ProviderHint) {
        // In the order in which they came: who has waited longest hears first.
        let receivers = state.withLock { $0.receivers }
        for receiver in receivers.prefix(HintSpread.unspread) { receiver.receive(hint) }
        // One of the first takes what was given back, as a rule; it need not wait until a hundred others have heard.
        let others = receivers.dropFirst(HintSpread.unspread)
        guard !others.isEmpty else { return }
        _ = clock.schedule(at: clock.now) {
            for receiver in others { receiver.receive(hint) }
        }
    }

    /// Makes sure that a timer fires no later than the deadline; one per group, however often leases are renewed.
    private func setAlarm(for group: ElectionGroup, at deadline: ElectionInstant) {
        enum Need {
            case nothing
            case timer(insteadOf: (any ElectionTimer)?)
        }
        let need: Need = state.withLock { state in
            let present = state.alarms[group]
            if let present, present.deadline <= deadline { return .nothing }
            state.alarms[group] = Alarm(deadline: deadline)
            return .timer(insteadOf: present?.timer)
        }
        guard case .timer(let outdated) = need else { return }
        outdated?.cancel()
        // Outside the lock: a clock may call back at once when the deadline has passed already.
        let timer = clock.schedule(at: deadline) { [weak self] in self?.alarmFired(for: group, at: deadline) }
        state.withLock { state in
            if state.alarms[group]?.deadline == deadline { state.alarms[group]?.timer = timer }
        }
    }

    private func alarmFired(for group: ElectionGroup, at deadline: ElectionInstant) {
        let lease: InMemoryLeaseTable.Lease? = state.withLock { state in
            guard state.alarms[group]?.deadline == deadline else { return nil }
            state.alarms[group] = nil
            return state.table.records[group]?.lease
        }
        guard let lease else { return }
        if clock.now < lease.deadline {
            setAlarm(for: group, at: lease.deadline)
        } else {
            tell(.changed(group))
        }
    }
}

private final class InMemoryHintSubscription: HintSubscription {
    private let store: InMemoryElectionStore
    private let id: UInt64

    init(store: InMemoryElectionStore, id: UInt64) {
        self.store = store
        self.id = id
    }

    deinit { cancel() }

    func cancel() { store.unsubscribe(id) }
}
