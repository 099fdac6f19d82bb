// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import Synchronization

/// Collects hints, and lets one task wait for one.
final class HintRecorder: Sendable {
    private struct State {
        var hints: [ProviderHint] = []
        var waiters: [(isAwaited: @Sendable (ProviderHint) -> Bool, gate: Gate)] = []
    }

    private struct TimedOut: Error {}

    private let state = Mutex(State())

    func receive(_ hint: ProviderHint) {
        let gates = state.withLock { state in
            state.hints.append(hint)
            return state.waiters.filter { $0.isAwaited(hint) }.map(\.gate)
        }
        for gate in gates { gate.open() }
    }

    /// How many hints have come: hints from here on are later ones.
    var mark: Int { state.withLock { $0.hints.count } }

    func hasChanged(_ group: ElectionGroup) -> Bool {
        state.withLock { $0.hints.contains { $0.group == group } }
    }

    func hasNoted(_ group: ElectionGroup, after mark: Int) -> Bool {
        state.withLock { $0.hints.dropFirst(mark).contains(.noted(group)) }
    }

    /// Whether a hint that concerns the group's lease came after the mark, or comes in time.
    func waits(for group: ElectionGroup, after mark: Int, upTo timeout: Duration) async throws -> Bool {
        try await waits(after: mark, upTo: timeout) { hint in
            hint == .resync || (hint.group == group && hint != .noted(group))
        }
    }

    /// Whether a hint that the group's notes are news came after the mark, or comes in time.
    func waitsForNote(of group: ElectionGroup, after mark: Int, upTo timeout: Duration) async throws -> Bool {
        try await waits(after: mark, upTo: timeout) { $0 == .noted(group) || $0 == .resync }
    }

    private func waits(
        after mark: Int,
        upTo timeout: Duration,
        for isAwaited: @escaping @Sendable (ProviderHint) -> Bool
    ) async throws -> Bool {
        let gate = Gate()
        let isThere = state.withLock { state in
            if state.hints.dropFirst(mark).contains(where: isAwaited) { return true }
            state.waiters.append((isAwaited, gate))
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
}
