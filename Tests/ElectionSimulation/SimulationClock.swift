// SPDX-License-Identifier: MIT

package import LeaderElection
internal import Synchronization

/// The clocks of one machine: a boot clock that runs a little too fast or too slow, and a wall clock that may be set.
package final class SimulationClock: ElectionClock {
    private struct State {
        /// Real time during which the boot clock stood still, as after an unseen freeze of a virtual machine.
        var stoodStill: Int64 = 0
        var standsStillSince: Int64?
        var wallOffset: Int64
        var lateness: SeededGenerator
    }

    private let timeline: Timeline
    private let process: Int?
    private let offset: Int64
    private let rate: Double
    private let maximumLateness: Int64
    private let state: Mutex<State>

    /// - Parameters:
    ///   - process: whose timers these are; nil for the store's.
    ///   - offset: what the boot clock shows at the beginning of the world.
    ///   - maximumLateness: how late timers may fire, in nanoseconds.
    package init(
        timeline: Timeline,
        process: Int?,
        offset: Int64,
        rate: Double,
        wallOffset: Int64,
        maximumLateness: Int64,
        random: SeededGenerator
    ) {
        self.timeline = timeline
        self.process = process
        self.offset = offset
        self.rate = rate
        self.maximumLateness = maximumLateness
        state = Mutex(State(wallOffset: wallOffset, lateness: random))
    }

    package var now: ElectionInstant {
        let real = timeline.now
        let running = state.withLock { state in (state.standsStillSince ?? real) - state.stoodStill }
        return ElectionInstant(nanoseconds: offset + Int64(Double(running) * rate))
    }

    package var wallNanoseconds: Int64 { timeline.now + state.withLock { $0.wallOffset } }

    /// The real time at which this clock shows the instant, if it does not stand still before; within a microsecond.
    package func realTime(of instant: ElectionInstant) -> Int64 {
        let stoodStill = state.withLock { $0.stoodStill }
        return Int64((Double(instant.nanoseconds - offset) / rate).rounded(.up)) + stoodStill
    }

    package func setWall(by step: Int64) { state.withLock { $0.wallOffset += step } }

    /// The boot clock stops, and the wall clock goes on.
    package func standStill() { state.withLock { $0.standsStillSince = timeline.now } }

    package func goOn() {
        state.withLock { state in
            guard let since = state.standsStillSince else { return }
            state.stoodStill += timeline.now - since
            state.standsStillSince = nil
        }
    }

    package func schedule(at deadline: ElectionInstant, _ action: @escaping @Sendable () -> Void) -> any ElectionTimer {
        let timer = Timer(timeline: timeline)
        set(timer, at: deadline, action)
        return timer
    }

    private func set(_ timer: Timer, at deadline: ElectionInstant, _ action: @escaping @Sendable () -> Void) {
        let late = maximumLateness == 0 ? 0 : state.withLock { $0.lateness.nanoseconds(0...maximumLateness) }
        let fire: @Sendable () -> Void = { [self] in
            guard !timer.isCancelled else { return }
            // The clock stood still meanwhile: a timer never fires early.
            if now < deadline { set(timer, at: deadline, action) } else { action() }
        }
        // A microsecond more than enough, or rounding would have it come back at once for ever.
        var real = max(timeline.now, realTime(of: deadline) + 1000)
        if state.withLock({ $0.standsStillSince != nil }) { real += 1_000_000 }
        timer.isScheduled(
            as: timeline.schedule(at: real + late, process.map { .inside(process: $0, fire) } ?? .outside(fire))
        )
    }

    /// Returns after the time given, or with an error as soon as the task is cancelled.
    package func sleep(for duration: Duration) async throws {
        let woken = OneShot<Void>()
        let timer = schedule(at: now + duration) { woken.resolve(()) }
        await withTaskCancellationHandler {
            await woken.value()
        } onCancel: {
            timer.cancel()
            woken.resolve(())
        }
        try Task.checkCancellation()
    }

    /// Returns after the time given, whatever happens.
    package func sleepOn(for duration: Duration) async {
        let woken = OneShot<Void>()
        _ = schedule(at: now + duration) { woken.resolve(()) }
        await woken.value()
    }

    private final class Timer: ElectionTimer {
        private let timeline: Timeline
        private let state = Mutex<(id: UInt64?, isCancelled: Bool)>((nil, false))

        init(timeline: Timeline) { self.timeline = timeline }

        var isCancelled: Bool { state.withLock { $0.isCancelled } }

        func isScheduled(as id: UInt64) { state.withLock { $0.id = id } }

        func cancel() {
            let id = state.withLock { state in
                state.isCancelled = true
                return state.id
            }
            if let id { timeline.cancel(id) }
        }
    }
}
