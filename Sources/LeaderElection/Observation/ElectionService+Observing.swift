// SPDX-License-Identifier: MIT

extension ElectionService {
    /// Tells the witness everything from here on; the service keeps it alive.
    ///
    /// - Parameter surroundings: what the work of each term runs in; the last one given counts.
    package nonisolated func attach(_ witness: any ElectionWitness, surroundings: (any WorkSurroundings)? = nil) {
        board.witnesses.add(witness, surroundings: surroundings)
    }

    /// The clock that all instants of this service are on.
    package nonisolated var electionClock: any ElectionClock { clock }

    /// The service's own state, for the application's health endpoint: computed when read, from any thread.
    ///
    /// Following is as healthy as leading. What counts is whether this process can take part: see
    /// ``ElectionHealth/Cause`` for what is looked at. Reading it suspends nothing and asks the store nothing.
    public nonisolated var health: ElectionHealth {
        board.health.read(at: clock.now, leader: board.state.leader, candidate: candidate)
    }
}
