// SPDX-License-Identifier: MIT

internal import Synchronization

/// The one way from all services of a process to one provider: shared calls, shared push, shared rhythm.
package actor ProviderChannel {
    private let provider: any ElectionProvider
    private let executor: any ElectionExecutor
    private let clock: any ElectionClock
    private var random: any RandomNumberGenerator & Sendable

    let acquisitions: CallLane<AcquireRequest, AcquireAnswer>
    let renewals: CallLane<RenewRequest, RenewAnswer>
    let releases: CallLane<ReleaseRequest, ReleaseAnswer>
    let readings: CallLane<ElectionGroup, HolderAnswer>
    /// Nil if the store cannot move leases.
    let transfers: CallLane<TransferRequest, TransferAnswer>?
    /// Nil if the store keeps no notes.
    let notes: NoteLanes?

    /// When groups renew that have been told so far.
    private var beats: [ElectionInstant] = []
    /// In the order in which they came, so that candidates of one process are served in turn.
    private var listeners: [ElectionGroup: [Listener]] = [:]
    private var patrol: (any ElectionTimer)?
    private var hints: (any HintSubscription)?
    private nonisolated let gate: HintGate
    private var highestTerms: [ElectionGroup: Int64] = [:]
    private var logGate = LogGate()

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init(
        provider: any ElectionProvider,
        executor: any ElectionExecutor,
        clock: any ElectionClock,
        random: any RandomNumberGenerator & Sendable
    ) {
        self.provider = provider
        self.executor = executor
        self.clock = clock
        self.random = random
        gate = HintGate(clock: clock, random: random)
        let batch = provider.guarantees.maximumBatch
        acquisitions = CallLane(executor: executor, clock: clock, maximumBatch: batch, unknown: { .unknown($0) }) {
            try await provider.acquire($0)
        }
        renewals = CallLane(executor: executor, clock: clock, maximumBatch: batch, unknown: { .unknown($0) }) {
            try await provider.renew($0)
        }
        releases = CallLane(executor: executor, clock: clock, maximumBatch: batch, unknown: { .unknown($0) }) {
            try await provider.release($0)
        }
        readings = CallLane(executor: executor, clock: clock, maximumBatch: batch, unknown: { .unknown($0) }) {
            try await provider.holders(of: $0)
        }
        transfers = (provider as? any TransferringProvider).map { provider in
            CallLane(executor: executor, clock: clock, maximumBatch: batch, unknown: { .unknown($0) }) {
                try await provider.transfer($0)
            }
        }
        notes = (provider as? any NoteKeepingProvider).map { provider in
            NoteLanes(provider: provider, executor: executor, clock: clock, maximumBatch: batch)
        }
    }

    /// The next instant at which groups renew together: at most one interval from now, and at least a half.
    ///
    /// Leases may vary a little in length from one renewal to the next, and with them the interval: whoever kept a rhythm
    /// for each would change between them out of step, and renew far sooner than it has to.
    package func nextBeat(interval: Duration, after now: ElectionInstant) -> ElectionInstant {
        if beats.contains(where: { $0 <= now }) { beats.removeAll { $0 <= now } }
        // Every renewal asks twice: no array for it.
        let latest = now + interval
        let earliest = ElectionInstant(nanoseconds: now.nanoseconds + (latest.nanoseconds - now.nanoseconds) / 2)
        var shared = ElectionInstant.distantPast
        for beat in beats where beat >= earliest && beat <= latest { shared = max(shared, beat) }
        if shared > .distantPast { return shared }
        // Up to a tenth early, so that processes that started together drift apart.
        let beat = now + interval * Double.random(in: 0.9...1, using: &random)
        beats.append(beat)
        return beat
    }

    /// The largest term that any service of this process saw in the group.
    func highestTerm(of group: ElectionGroup) -> Int64 { highestTerms[group] ?? 0 }

    func saw(term: Int64, in group: ElectionGroup) {
        highestTerms[group] = max(term, highestTerms[group] ?? 0)
    }

    /// Whether no other service of this provider has told the same just now.
    func isNews(_ text: String) -> Bool { logGate.isNews(text, at: clock.now) }

    /// What a service hears from its channel.
    enum Signal: Sendable {
        /// The store has something to say.
        case hint(ProviderHint)
        /// It is time to look after notes, for all services at once: together they need few calls.
        case patrol
    }

    private struct Listener: Sendable {
        let id: ObjectIdentifier
        let onSignal: @Sendable (Signal) -> Void
    }

    /// How often services look after their notes.
    private static let patrolInterval = Duration.seconds(10)

    /// Calls `onSignal` on the executor with whatever concerns the group.
    func listen(
        to group: ElectionGroup,
        for listener: ObjectIdentifier,
        _ onSignal: @escaping @Sendable (Signal) -> Void
    ) {
        listeners[group, default: []].append(Listener(id: listener, onSignal: onSignal))
        gate.open(group)
        if notes != nil, patrol == nil { schedulePatrol() }
        guard hints == nil, let provider = provider as? any PushingProvider else { return }
        hints = provider.hints { [weak self, gate, executor] hint in
            gate.heard(hint) { hint in
                executor.execute {
                    guard let self else { return }
                    self.assumeIsolated { $0.tell(hint) }
                }
            }
        }
    }

    func stopListening(to group: ElectionGroup, for listener: ObjectIdentifier) {
        listeners[group]?.removeAll { $0.id == listener }
        if listeners[group]?.isEmpty == true {
            listeners[group] = nil
            gate.close(group)
        }
        if listeners.isEmpty {
            hints?.cancel()
            hints = nil
            patrol?.cancel()
            patrol = nil
        }
    }

    private func schedulePatrol() {
        let pause = Self.patrolInterval * Double.random(in: 0.9...1, using: &random)
        patrol = clock.schedule(at: clock.now + pause) { [weak self, executor] in
            guard let self else { return }
            executor.execute { self.assumeIsolated { $0.patrolAll() } }
        }
    }

    private func patrolAll() {
        guard patrol != nil else { return }
        for group in listeners.keys.sorted(by: { $0.name < $1.name }) {
            for listener in listeners[group] ?? [] { listener.onSignal(.patrol) }
        }
        schedulePatrol()
    }

    private func tell(_ hint: ProviderHint) {
        guard let group = hint.group else {
            for group in listeners.keys.sorted(by: { $0.name < $1.name }) {
                for listener in listeners[group] ?? [] { listener.onSignal(.hint(hint)) }
            }
            return
        }
        tell(hint, to: listeners[group]?[...] ?? [])
    }

    /// One by one: with many candidates of one process waiting, the first has its answer before the last asks.
    private func tell(_ hint: ProviderHint, to waiting: ArraySlice<Listener>) {
        guard let first = waiting.first else { return }
        first.onSignal(.hint(hint))
        let others = waiting.dropFirst()
        guard !others.isEmpty else { return }
        executor.execute { self.assumeIsolated { $0.tell(hint, to: others) } }
    }
}

/// The calls about notes, which never hold up those about leases.
struct NoteLanes: Sendable {
    let writes: CallLane<NoteRequest, NoteAnswer>
    let removals: CallLane<NoteRemoval, NoteAnswer>
    let readings: CallLane<ElectionGroup, NotesAnswer>
    /// Nil if nobody stands in line in the store.
    let queues: CallLane<ElectionGroup, QueueAnswer>?

    init(
        provider: any NoteKeepingProvider,
        executor: any ElectionExecutor,
        clock: any ElectionClock,
        maximumBatch: Int
    ) {
        writes = CallLane(executor: executor, clock: clock, maximumBatch: maximumBatch, unknown: { .unknown($0) }) {
            try await provider.write($0)
        }
        removals = CallLane(executor: executor, clock: clock, maximumBatch: maximumBatch, unknown: { .unknown($0) }) {
            try await provider.remove($0)
        }
        readings = CallLane(executor: executor, clock: clock, maximumBatch: maximumBatch, unknown: { .unknown($0) }) {
            try await provider.notes(of: $0)
        }
        queues = (provider as? any QueueingProvider).map { provider in
            CallLane(executor: executor, clock: clock, maximumBatch: maximumBatch, unknown: { .unknown($0) }) {
                try await provider.queues(of: $0)
            }
        }
    }
}

extension ProviderChannel {
    private struct Key: Hashable {
        let provider: ObjectIdentifier
        let executor: ObjectIdentifier
    }

    private struct Entry {
        weak let channel: ProviderChannel?
    }

    private static let channels = Mutex<(entries: [Key: Entry], pruneAt: Int)>(([:], 64))

    /// The channel that all services of this provider share; made anew when the last of them is gone.
    static func shared(
        for provider: any ElectionProvider,
        executor: any ElectionExecutor,
        clock: any ElectionClock,
        random: any RandomNumberGenerator & Sendable
    ) -> ProviderChannel {
        let key = Key(provider: ObjectIdentifier(provider), executor: ObjectIdentifier(executor))
        return channels.withLock { channels in
            // A channel keeps its provider alive, so a living entry cannot belong to another provider at its address.
            if let channel = channels.entries[key]?.channel { return channel }
            if channels.entries.count >= channels.pruneAt {
                channels.entries = channels.entries.filter { $0.value.channel != nil }
                channels.pruneAt = 64 + 2 * channels.entries.count
            }
            let channel = ProviderChannel(provider: provider, executor: executor, clock: clock, random: random)
            channels.entries[key] = Entry(channel: channel)
            return channel
        }
    }
}
