// SPDX-License-Identifier: MIT

package import LeaderElection
internal import Synchronization

/// One process with real election services: what a machine runs, what a crash kills, what a pause freezes.
package final class SimulatedProcess: Sendable {
    /// Whether its code runs, and whether anybody can read its claims.
    package enum Condition: Sendable {
        case running
        /// Frozen: nothing of it runs, but its clocks go on and its claims stand.
        case paused
        /// Gone without a word.
        case crashed
    }

    private struct State {
        var condition = Condition.running
        var frozen: [@Sendable () -> Void] = []
        var hadUnseenFreeze = false
        var stopBy: Int64?
        var runsLeft = 0
        var tasksLeft = 0
        var pausedSince: Int64 = 0
    }

    package let id: Int
    package let node: Int
    package let executor: SimulationExecutor
    package let clock: SimulationClock
    package let services: [ElectionService]
    private let provider: SimulatedProvider
    private let users: [SimulatedUser]
    private let recorder: Recorder
    private let timeline: Timeline
    private let configuration: ElectionConfiguration
    private let state = Mutex(State())

    package init(id: Int, node: Int, world: SimulatedWorld) throws {
        var dice = SeededGenerator(seed: world.scenario.seed, stream: 5000 + UInt64(id))
        let scenario = world.scenario
        let drift = scenario.drift * 0.999
        self.id = id
        self.node = node
        recorder = world.recorder
        timeline = world.timeline
        executor = SimulationExecutor()
        configuration = scenario.configurations[node]
        clock = SimulationClock(
            timeline: world.timeline,
            process: id,
            offset: dice.nanoseconds(0...1_000_000_000_000_000),
            rate: dice.pick([1 - drift, 1 + drift, 1 + dice.real(-drift...drift)]),
            wallOffset: SimulatedWorld.wallStart + dice.nanoseconds(-5_000_000_000...5_000_000_000),
            maximumLateness: scenario.maximumTimerLateness,
            random: SeededGenerator(seed: scenario.seed, stream: 7000 + UInt64(id))
        )
        provider = SimulatedProvider(process: id, network: world.network, scenario: scenario)
        var services: [ElectionService] = []
        for (index, group) in world.store.groups.enumerated() {
            let (clock, recorder, claims) = (clock, world.recorder, ClaimReader())
            let service = try ElectionService(
                group.name,
                provider: provider,
                configuration: configuration,
                clock: clock,
                executor: executor,
                random: SeededGenerator(seed: scenario.seed, stream: 9000 + UInt64(id * 8 + index)),
                audit: { operation in
                    let leads = operation.term != nil && claims.term == operation.term
                    recorder.check { $0.audited(operation, process: id, group: index, leads: leads) }
                }
            )
            claims.attach(service)
            services.append(service)
        }
        self.services = services
        let clock = clock
        users = services.indices.map { index in
            SimulatedUser(
                process: id,
                group: index,
                world: world,
                clock: clock,
                random: SeededGenerator(seed: scenario.seed, stream: 11_000 + UInt64(id * 8 + index))
            )
        }
    }

    // MARK: Life

    /// Starts every service, one that works while it leads, and the readers of both streams.
    package func start() {
        state.withLock { ($0.runsLeft, $0.tasksLeft) = (services.count, services.count * 4) }
        for (index, service) in services.enumerated() {
            let (recorder, id, user) = (recorder, id, users[index])
            // Before anything happens, so that nothing is missed.
            var events = service.events.makeAsyncIterator()
            var changes = service.changes.makeAsyncIterator()
            spawn {
                while let event = await events.next() {
                    recorder.check { $0.delivered(event, process: id, group: index) }
                    recorder.note(10, id, event.term ?? 0, UInt64(event.kind.rawValue.utf8.count))
                    recorder.trace("process \(id): \(event)")
                }
            }
            spawn {
                while let change = await changes.next() {
                    recorder.check { $0.delivered(change, process: id, group: index) }
                }
            }
            spawn { [self] in
                do { try await service.run() } catch { recorder.check { $0.fail("L6", "run() threw \(error)") } }
                state.withLock { $0.runsLeft -= 1 }
            }
            spawn { await user.work(with: service) }
        }
    }

    private func spawn(_ body: sending @escaping () async -> Void) {
        Task(executorPreference: executor) { [self] in
            await body()
            state.withLock { $0.tasksLeft -= 1 }
        }
    }

    package func resign(group: Int, standingDownFor time: Duration) {
        let service = services[group]
        Task(executorPreference: executor) { await service.resign(standingDownFor: time) }
    }

    package func transfer(group: Int, to heir: String) {
        let service = services[group]
        Task(executorPreference: executor) { try? await service.transfer(to: heir) }
    }

    package func suspend(group: Int) {
        let service = services[group]
        Task(executorPreference: executor) { await service.suspend() }
    }

    package func goOn(group: Int) {
        let service = services[group]
        Task(executorPreference: executor) { await service.resume() }
    }

    /// Runs something of the user's while this process leads, once.
    package func runOnce(group: Int) {
        let (service, user) = (services[group], users[group])
        Task(executorPreference: executor) { await user.workOnce(with: service) }
    }

    /// Asks every service to end; ``hasEnded`` must become true by ``stopBy``.
    package func stop() {
        for service in services { service.stop() }
        let bound =
            (configuration.shutdownTimeout ?? configuration.leaseDuration)
            + (configuration.attemptTimeout ?? configuration.leaseDuration / 6) * 1.1 + .milliseconds(310)
        state.withLock { state in
            if state.stopBy == nil { state.stopBy = timeline.now + bound.wholeNanoseconds }
        }
    }

    package var stopBy: Int64? { state.withLock { $0.stopBy } }
    package var hasEnded: Bool { state.withLock { $0.runsLeft == 0 } }
    package var isTidy: Bool { state.withLock { $0.tasksLeft == 0 } }

    // MARK: Condition

    package var condition: Condition { state.withLock { $0.condition } }
    package var hadUnseenFreeze: Bool { state.withLock { $0.hadUnseenFreeze } }

    package func pause(unseen: Bool) {
        state.withLock { state in
            state.condition = .paused
            state.pausedSince = timeline.now
            if unseen { state.hadUnseenFreeze = true }
        }
        if unseen { clock.standStill() }
    }

    package func crash() { state.withLock { $0.condition = .crashed } }

    /// Goes on where it was; everything that came meanwhile comes now.
    package func resume() {
        clock.goOn()
        let frozen = state.withLock { state in
            if state.condition == .paused, let stopBy = state.stopBy {
                state.stopBy = stopBy + timeline.now - state.pausedSince
            }
            state.condition = .running
            defer { state.frozen = [] }
            return state.frozen
        }
        for action in frozen { action() }
    }

    /// Runs the action, or keeps it for when the process goes on.
    package func deliver(_ action: @escaping @Sendable () -> Void) {
        let isRunning = state.withLock { state in
            if state.condition != .running { state.frozen.append(action) }
            return state.condition == .running
        }
        if isRunning { action() }
    }

    /// What one service says at this instant.
    package func reading(of group: Int) -> Checker.Reading {
        let service = services[group]
        let leadership = service.leadership
        let deadline = leadership?.validUntil
        return Checker.Reading(
            process: id,
            group: group,
            term: deadline == nil ? nil : leadership?.term,
            deadline: deadline,
            realDeadline: deadline.map { clock.realTime(of: $0) },
            seenTerm: service.leader?.term,
            hadUnseenFreeze: hadUnseenFreeze
        )
    }
}

/// Lets the audit trail ask a service that does not exist yet when the trail is laid.
private final class ClaimReader: Sendable {
    private struct Reference {
        weak let service: ElectionService?
    }

    private let reference = Mutex<Reference?>(nil)

    func attach(_ service: ElectionService) { reference.withLock { $0 = Reference(service: service) } }

    var term: Int64? { reference.withLock { $0?.service }?.leadership?.term }
}
