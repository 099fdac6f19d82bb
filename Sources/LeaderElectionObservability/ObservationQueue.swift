// SPDX-License-Identifier: MIT

#if Observability
internal import LeaderElection
internal import Synchronization

/// What was seen and not told yet, in bounded memory, between the engine's thread and one that may block.
final class ObservationQueue: Sendable {
    private struct State {
        var seen: [(watch: ElectionWatch, observation: ElectionObservation)] = []
        var lost = 0
        var isDraining = false
    }

    private let limit: Int
    private let state = Mutex(State())
    private let losses = Atomic(0)

    init(limit: Int) { self.limit = max(1, limit) }

    /// How many observations were dropped so far.
    var lostCount: Int { losses.load(ordering: .relaxed) }

    /// Never waits; true if somebody has to be woken to take what is there.
    func put(_ observation: ElectionObservation, by watch: ElectionWatch) -> Bool {
        state.withLock { state in
            if state.seen.count < limit {
                state.seen.append((watch, observation))
            } else {
                state.lost += 1
                losses.add(1, ordering: .relaxed)
            }
            defer { state.isDraining = true }
            return !state.isDraining
        }
    }

    /// Everything that is there, and how much of what came after it was dropped; nil when there is nothing, and then the
    /// next one to put something has to wake somebody.
    func take() -> (seen: [(watch: ElectionWatch, observation: ElectionObservation)], lost: Int)? {
        state.withLock { state in
            guard !state.seen.isEmpty || state.lost > 0 else {
                state.isDraining = false
                return nil
            }
            defer { (state.seen, state.lost) = ([], 0) }
            return (state.seen, state.lost)
        }
    }
}

/// Takes note of what one election does.
final class ElectionWatch: ElectionWitness {
    private let queue: ObservationQueue
    private let teller: ObservationTeller
    /// Not the other way round: the election keeps its watch.
    weak let election: ElectionService?
    let clock: any ElectionClock

    init(of election: ElectionService, queue: ObservationQueue, teller: ObservationTeller) {
        self.election = election
        self.queue = queue
        self.teller = teller
        clock = election.electionClock
    }

    func saw(_ observation: ElectionObservation) {
        if queue.put(observation, by: self) { teller.wake() }
    }
}
#endif
