// SPDX-License-Identifier: MIT

internal import Synchronization

/// Collects what happens in one world: for the checker, for a fingerprint, and for people who read a failure.
package final class Recorder: Sendable {
    private struct State {
        var checker: Checker
        var lines: [String] = []
        var fingerprint: UInt64 = 0
        var stepSum: UInt64 = 0
        var storeRequests = 0
        var hints = 0
        var isMuted = false
    }

    private static let keptLines = 60

    /// Whether the history is written down for people; it costs more than the simulation itself.
    package let isTracing: Bool
    private let timeline: Timeline
    private let state: Mutex<State>

    package init(timeline: Timeline, checker: Checker, isTracing: Bool) {
        self.timeline = timeline
        self.isTracing = isTracing
        state = Mutex(State(checker: checker))
    }

    package func check(_ body: (inout Checker) -> Void) {
        state.withLock { state in
            if !state.isMuted { body(&state.checker) }
        }
    }

    package func checked<Result>(_ body: (inout Checker) -> Result) -> Result {
        state.withLock { body(&$0.checker) }
    }

    package var violation: Checker.Violation? { state.withLock { $0.checker.violation } }

    /// Notes a fact for the fingerprint; facts of one step may come in any order.
    package func note(_ kind: UInt64, _ first: Int, _ second: Int64 = 0, _ third: UInt64 = 0) {
        let fact = SeededGenerator.mix(
            kind &* 0x1_0001 &+ SeededGenerator.mix(UInt64(bitPattern: Int64(first)))
                ^ SeededGenerator.mix(UInt64(bitPattern: second) &+ third &* 31)
        )
        state.withLock { $0.stepSum &+= fact }
    }

    package func endStep() {
        let now = UInt64(bitPattern: timeline.now)
        state.withLock { state in
            state.fingerprint = SeededGenerator.mix(state.fingerprint ^ now) &+ state.stepSum
            state.stepSum = 0
        }
    }

    package var fingerprint: UInt64 { state.withLock { $0.fingerprint } }

    package func trace(_ line: @autoclosure () -> String) {
        guard isTracing else { return }
        let microseconds = timeline.now / 1000
        let text = "\(microseconds / 1_000_000).\(String(String(microseconds % 1_000_000 + 1_000_000).dropFirst()))"
        let full = String(repeating: " ", count: max(0, 11 - text.utf8.count)) + text + " s  " + line()
        state.withLock { state in
            guard !state.isMuted else { return }
            if state.lines.count >= 2 * Self.keptLines { state.lines.removeFirst(Self.keptLines) }
            state.lines.append(full)
        }
    }

    package var lines: [String] { state.withLock { Array($0.lines.suffix(Self.keptLines)) } }

    package func countRequest() { state.withLock { $0.storeRequests += 1 } }
    package func countHint() { state.withLock { $0.hints += 1 } }
    package var storeRequests: Int { state.withLock { $0.storeRequests } }
    package var hints: Int { state.withLock { $0.hints } }

    /// The world is being taken down: what happens from here on proves nothing.
    package func mute() { state.withLock { $0.isMuted = true } }
}
