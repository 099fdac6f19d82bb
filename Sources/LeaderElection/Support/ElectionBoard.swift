// SPDX-License-Identifier: MIT

internal import Synchronization

/// What a service shows to other threads: state for readers, streams for listeners, signals for work.
final class ElectionBoard: Sendable {
    let changes = Broadcast<ChangeBuffer>()
    let events = Broadcast<EventBuffer>()
    let witnesses = Witnesses()
    let health: HealthBoard
    /// What this candidate is while it does not lead.
    let idleRole: LeadershipChange.Role

    private struct Contents {
        var state: ElectionState
        /// The term whose work may run, and who wants to know when it may no longer.
        var workTerm: Int64?
        var workSignals: [WorkSignal] = []
    }

    private let contents: Mutex<Contents>
    private let signalsMade = HandOver()
    private let executor: any ElectionExecutor

    init(group: ElectionGroup, timing: LeaseTiming, isObserver: Bool, executor: any ElectionExecutor) {
        self.executor = executor
        health = HealthBoard(group: group, timing: timing)
        idleRole = isObserver ? .observer : .follower
        contents = Mutex(
            Contents(
                state: ElectionState(
                    group: group,
                    role: .stopped,
                    leadership: nil,
                    leader: nil,
                    reason: .initial,
                    version: 0
                )
            )
        )
    }

    var state: ElectionState { contents.withLock { $0.state } }

    func update(
        role: LeadershipChange.Role,
        leadership: Leadership?,
        leader: Leader?,
        reason: ElectionReason
    ) {
        let state = contents.withLock { contents in
            let version = contents.state.version + 1
            contents.state = ElectionState(
                group: contents.state.group,
                role: role,
                leadership: leadership,
                leader: leader,
                reason: reason,
                version: version
            )
            return contents.state
        }
        guard changes.hasSubscribers else { return }
        executor.executeLast { self.changes.send(state) }
    }

    /// Whether anybody is told of events.
    var isHeard: Bool { !witnesses.isEmpty || events.hasSubscribers }

    func send(_ event: ElectionEvent) {
        witnesses.tell(.event(event))
        guard events.hasSubscribers else { return }
        executor.executeLast { self.events.send(event) }
    }

    /// Ends all streams after what was sent before.
    func finish() {
        executor.executeLast {
            self.changes.finish()
            self.events.finish()
        }
    }

    // MARK: Work

    /// From here on work of this term may begin.
    func begin(term: Int64) {
        contents.withLock { $0.workTerm = term }
    }

    /// Work of this term must end and none may begin.
    func endWork(of term: Int64) {
        let signals = contents.withLock { contents in
            guard contents.workTerm == term else { return [WorkSignal]() }
            contents.workTerm = nil
            defer { contents.workSignals = [] }
            return contents.workSignals
        }
        signalsMade.take()
        for signal in signals { signal.fire() }
    }

    /// Has the signal fired when work of the term must end; false if that is so already.
    func watch(term: Int64, _ signal: WorkSignal) -> Bool {
        signalsMade.give()
        return contents.withLock { contents in
            guard contents.workTerm == term else { return false }
            contents.workSignals.append(signal)
            return true
        }
    }

    func unwatch(_ signal: WorkSignal) {
        contents.withLock { $0.workSignals.removeAll { $0 === signal } }
    }
}

/// Fires once; one task can wait for it.
final class WorkSignal: Sendable {
    private enum State {
        case armed
        case awaited(CheckedContinuation<Void, Never>)
        case fired
    }

    private let state = Mutex(State.armed)

    func fire() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            defer { state = .fired }
            if case .awaited(let waiter) = state { return waiter }
            return nil
        }
        waiter?.resume()
    }

    /// Returns once fired, whether or not the calling task is cancelled.
    func wait() async {
        await withCheckedContinuation { continuation in
            let hasFired = state.withLock { state in
                if case .fired = state { return true }
                state = .awaited(continuation)
                return false
            }
            if hasFired { continuation.resume() }
        }
    }
}
