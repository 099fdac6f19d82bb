// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import Synchronization

/// Collects hints, and lets one task wait for one.
final class HintRecorder: Sendable {
    private struct State {
        var hints: [ProviderHint] = []
        var waiters: [(group: ElectionGroup, gate: Gate)] = []
    }

    private struct TimedOut: Error {}

    private let state = Mutex(State())

    func receive(_ hint: ProviderHint) {
        let gates = state.withLock { state in
            state.hints.append(hint)
            return state.waiters.filter { Self.concerns(hint, $0.group) }.map(\.gate)
        }
        for gate in gates { gate.open() }
    }

    /// How many hints have come: hints from here on are later ones.
    var mark: Int { state.withLock { $0.hints.count } }

    func hasChanged(_ group: ElectionGroup) -> Bool {
        state.withLock { $0.hints.contains { $0.group == group } }
    }

    /// Whether a hint that concerns the group came after the mark, or comes in time.
    func waits(for group: ElectionGroup, after mark: Int, upTo timeout: Duration) async throws -> Bool {
        let gate = Gate()
        let isThere = state.withLock { state in
            if state.hints.dropFirst(mark).contains(where: { Self.concerns($0, group) }) { return true }
            state.waiters.append((group, gate))
            return false
        }
        if isThere { return true }
        defer { state.withLock { $0.waiters.removeAll { $0.gate === gate } } }
        // The machine's clock, even if the store has another one: hints travel in real time.
        let clock = SystemClock()
        let timer = clock.schedule(at: clock.now.advanced(by: timeout)) { gate.fail(TimedOut()) }
        defer { timer.cancel() }
        do {
            try await gate.wait()
            return true
        } catch is TimedOut {
            return false
        }
    }

    private static func concerns(_ hint: ProviderHint, _ group: ElectionGroup) -> Bool {
        hint.group == group || hint == .resync
    }
}
