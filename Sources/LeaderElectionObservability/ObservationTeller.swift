// SPDX-License-Identifier: MIT

#if Observability
internal import LeaderElection

/// Tells the backends, on a thread of its own: if they block, nothing waits but what they should be told.
actor ObservationTeller {
    private struct Entry {
        weak let watch: ElectionWatch?
        var reading: ElectionReading
    }

    private let queue: ObservationQueue
    private let thread = SerialThread(name: "election-watch")
    private var meters: ElectionMeters
    private var entries: [ObjectIdentifier: Entry] = [:]
    /// So many entries, and those of elections that are gone are thrown out.
    private var pruneAt = 64

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(queue: ObservationQueue, meters: ElectionMeters) {
        self.queue = queue
        self.meters = meters
    }

    /// Before the first observation of this election.
    nonisolated func add(_ watch: ElectionWatch, group: ElectionGroup, spans: TermSpans?) {
        thread.execute { [weak watch] in
            self.assumeIsolated { teller in
                guard let watch else { return }
                if teller.entries.count >= teller.pruneAt {
                    teller.entries = teller.entries.filter { $0.value.watch != nil }
                    teller.pruneAt = 64 + 2 * teller.entries.count
                }
                let reading = ElectionReading(group: teller.meters.label(of: group), spans: spans)
                teller.entries[ObjectIdentifier(watch)] = Entry(watch: watch, reading: reading)
            }
        }
    }

    /// Calls `action` after everything that was seen before was told.
    nonisolated func whenIdle(_ action: @escaping @Sendable () -> Void) {
        thread.execute(action)
    }

    nonisolated func wake() {
        thread.execute { self.assumeIsolated { $0.drain() } }
    }

    private func drain() {
        while let (seen, lost) = queue.take() {
            for (watch, observation) in seen { tell(ObjectIdentifier(watch), observation) }
            if lost > 0 {
                meters.count(.observationsLost, nil, by: lost)
                for id in Array(entries.keys) { resync(id) }
            }
        }
    }

    private func tell(_ id: ObjectIdentifier, _ observation: ElectionObservation) {
        guard var entry = entries.removeValue(forKey: id) else { return }
        entry.reading.tell(observation, &meters)
        entries[id] = entry
    }

    /// What was dropped can have been anything: only the election itself knows where it stands.
    private func resync(_ id: ObjectIdentifier) {
        guard var entry = entries.removeValue(forKey: id), let watch = entry.watch else { return }
        if let election = watch.election {
            let isStopped = election.health.reasons.contains { $0.cause == .stopped }
            entry.reading.resync(
                term: election.leadership?.term,
                knowsLeader: isStopped || election.leader != nil,
                at: watch.clock.now,
                &meters
            )
        }
        entries[id] = entry
    }
}
#endif
