// SPDX-License-Identifier: MIT

internal import Synchronization

/// One thing that a witness is told: a step of a call to the store, or what came of it.
package enum ElectionObservation: Sendable {
    case operation(ElectionOperation)
    case event(ElectionEvent)
}

/// Is told everything, in order, on the engine's own thread.
///
/// It must do no more than take note: whatever it waits for, every election of the process waits for.
package protocol ElectionWitness: AnyObject, Sendable {
    func saw(_ observation: ElectionObservation)
}

/// Runs the work of a term, in surroundings of its own: task-local values, for one.
package protocol WorkSurroundings: Sendable {
    func run<Value: Sendable>(
        in leadership: Leadership,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value
}

/// Those who watch one service; without any, telling them costs one atomic read.
final class Witnesses: Sendable {
    private struct Contents {
        var witnesses: [any ElectionWitness] = []
        var surroundings: (any WorkSurroundings)?
    }

    private let hasAny = Atomic(false)
    private let contents = Mutex(Contents())

    /// Whether anybody watches.
    var isEmpty: Bool { !hasAny.load(ordering: .acquiring) }

    var surroundings: (any WorkSurroundings)? { isEmpty ? nil : contents.withLock { $0.surroundings } }

    func add(_ witness: any ElectionWitness, surroundings: (any WorkSurroundings)?) {
        contents.withLock { contents in
            contents.witnesses.append(witness)
            if let surroundings { contents.surroundings = surroundings }
        }
        hasAny.store(true, ordering: .releasing)
    }

    func tell(_ observation: @autoclosure () -> ElectionObservation) {
        guard !isEmpty else { return }
        let observation = observation()
        for witness in contents.withLock({ $0.witnesses }) { witness.saw(observation) }
    }
}
