// SPDX-License-Identifier: MIT

internal import Synchronization

/// Holds hints back whose turn it is not yet, on whichever thread hears them.
///
/// When hundreds of processes hear the same hint, most of them do nothing at first; waking the engine's thread of each,
/// only to find that out, would keep the few whose turn it is from the processors.
final class HintGate: Sendable {
    typealias Pass = @Sendable (ProviderHint) -> Void

    fileprivate struct State {
        /// The groups that somebody listens for.
        var groups: Set<ElectionGroup> = []
        var delayed: [ElectionGroup: (due: ElectionInstant, number: UInt64, timer: (any ElectionTimer)?)] = [:]
        var lastNumber: UInt64 = 0
        var random: any RandomNumberGenerator & Sendable
    }

    private let clock: any ElectionClock
    private let state: Mutex<State>

    init(clock: any ElectionClock, random: any RandomNumberGenerator & Sendable) {
        self.clock = clock
        state = Mutex(State(random: random))
    }

    func open(_ group: ElectionGroup) {
        state.withLock { _ = $0.groups.insert(group) }
    }

    func close(_ group: ElectionGroup) {
        let timer = state.withLock { state in
            state.groups.remove(group)
            return state.delayed.removeValue(forKey: group)?.timer
        }
        timer?.cancel()
    }

    /// Calls `pass` at once or when it is this process's turn; never for a group that nobody listens for.
    func heard(_ hint: ProviderHint, _ pass: @escaping Pass) {
        // A note says nothing about the lease, so that it must not take the place of a hint that waits.
        if case .noted(let group) = hint {
            if state.withLock({ $0.groups.contains(group) }) { pass(hint) }
            return
        }
        guard let group = hint.group else { return pass(hint) }
        let due = state.withLock { $0.due(hint, group, clock) }
        due.replaced?.cancel()
        switch due.turn {
        case .never: break
        case .now: pass(hint)
        case .later(let instant, let number):
            let timer = clock.schedule(at: instant) { [weak self] in
                guard let self, state.withLock({ $0.take(group, number) }) else { return }
                pass(hint)
            }
            state.withLock { if $0.delayed[group]?.number == number { $0.delayed[group]?.timer = timer } }
        }
    }
}

extension HintGate.State {
    fileprivate enum Turn {
        case never
        case now
        case later(ElectionInstant, UInt64)
    }

    /// Whose turn it is, and a timer that is of no use any more.
    fileprivate mutating func due(
        _ hint: ProviderHint,
        _ group: ElectionGroup,
        _ clock: any ElectionClock
    ) -> (turn: Turn, replaced: (any ElectionTimer)?) {
        guard groups.contains(group) else { return (.never, nil) }
        let delay = delay(of: hint)
        guard delay > .zero else {
            return (.now, delayed.isEmpty ? nil : delayed.removeValue(forKey: group)?.timer)
        }
        let due = clock.now + delay
        let waiting = delayed[group]
        // One look answers both hints.
        if let waiting, waiting.due <= due { return (.never, nil) }
        lastNumber += 1
        delayed[group] = (due, lastNumber, nil)
        return (.later(due, lastNumber), waiting?.timer)
    }

    /// Whether the hint with this number still waits; from now on it does not.
    fileprivate mutating func take(_ group: ElectionGroup, _ number: UInt64) -> Bool {
        guard delayed[group]?.number == number else { return false }
        delayed[group] = nil
        return true
    }

    private mutating func delay(of hint: ProviderHint) -> Duration {
        switch hint {
        case .freed(_, let count): HintSpread.delay(afterRelease: count, using: &random)
        case .taken(_, let count): HintSpread.delay(afterGrant: count, using: &random)
        case .changed, .noted, .resync, .warning: .zero
        }
    }
}
