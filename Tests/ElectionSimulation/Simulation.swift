// SPDX-License-Identifier: MIT

internal import LeaderElection

/// One world from beginning to end: troubles, then calm, then an orderly end; checked at every step.
package final class Simulation {
    private static let maximumSteps = 400_000
    private static let maximumPiecesPerStep = 20_000

    private enum Touched {
        case nobody
        case process(Int)
        case everybody

        func includes(_ process: Int) -> Bool {
            switch self {
            case .nobody: false
            case .process(let touched): touched == process
            case .everybody: true
            }
        }
    }

    let scenario: Scenario
    let world: SimulatedWorld
    var dice: SeededGenerator
    /// All processes that ever were, by number.
    var processes: [SimulatedProcess] = []
    /// Those that can still do or claim something.
    var active: [SimulatedProcess] = []
    /// The process that is expected to be up on each node.
    var current: [Int?]
    private var readings: [Checker.Reading] = []
    private var isClaiming: [Bool] = []
    private var steps = 0
    private var settled: [Int: Int64] = [:]
    private var settledAt: (time: Int64, requests: Int) = (0, 0)
    private var handingOver: Int?

    var timeline: Timeline { world.timeline }
    var recorder: Recorder { world.recorder }
    var network: SimulatedNetwork { world.network }

    package init(seed: UInt64, isTracing: Bool = false) throws {
        scenario = Scenario(seed: seed)
        world = try SimulatedWorld(scenario: scenario, isTracing: isTracing)
        dice = SeededGenerator(seed: seed, stream: 2)
        current = Array(repeating: nil, count: scenario.nodes)
    }

    /// Runs the world of one seed.
    package static func run(seed: UInt64, isTracing: Bool = false) throws -> SimulationReport {
        try Simulation(seed: seed, isTracing: isTracing).run()
    }

    package func run() throws -> SimulationReport {
        for node in 0..<scenario.nodes {
            timeline.schedule(at: dice.nanoseconds(0...500_000_000), .command(.restart(node: node)))
        }
        timeline.schedule(at: dice.nanoseconds(0...1_500_000_000), .command(.trouble))
        timeline.schedule(at: scenario.heal, .command(.heal))
        var isOver = false
        while !isOver, recorder.violation == nil, let occurrence = timeline.advance() {
            read(.nobody)
            let touched: Touched
            switch occurrence {
            case .inside(let process, let action):
                touched = .process(process)
                processes[process].deliver(action)
            case .outside(let action):
                touched = .nobody
                action()
            case .command(let command):
                touched = .everybody
                isOver = try perform(command)
            }
            drain(touched)
            read(touched)
            recorder.endStep()
            steps += 1
            if steps > Self.maximumSteps { fail("L4", "\(steps) steps in one world: the engine does not come to rest") }
        }
        let report = SimulationReport(
            seed: scenario.seed,
            violation: recorder.violation,
            fingerprint: recorder.fingerprint,
            steps: steps,
            storeRequests: recorder.storeRequests,
            simulatedNanoseconds: timeline.now,
            lines: recorder.lines
        )
        takeDown()
        return report
    }

    func fail(_ invariant: String, _ message: String) {
        recorder.check { $0.fail(invariant, message) }
    }

    // MARK: Steps

    /// Lets the processes run that something may have happened in, until all of them wait.
    private func drain(_ touched: Touched) {
        switch touched {
        case .nobody: break
        case .process(let process): drain([processes[process]])
        case .everybody: drain(active)
        }
    }

    private func drain(_ processes: [SimulatedProcess]) {
        for process in processes where process.condition == .running {
            let pieces = process.executor.drain(limit: Self.maximumPiecesPerStep)
            if pieces > Self.maximumPiecesPerStep {
                fail("L4", "\(pieces) pieces of work at one instant: the engine spins")
            }
        }
    }

    /// Reads what can have changed: every claim, for time ends them, and all of those that did something.
    private func read(_ touched: Touched) {
        readings.removeAll(keepingCapacity: true)
        for process in active {
            let isTouched = touched.includes(process.id)
            if isTouched { checkStop(of: process) }
            for group in 0..<scenario.groups {
                let key = process.id * scenario.groups + group
                while isClaiming.count <= key { isClaiming.append(false) }
                guard isTouched || isClaiming[key] else { continue }
                let reading = process.reading(of: group)
                isClaiming[key] = reading.term != nil
                readings.append(reading)
            }
        }
        let (now, store) = (timeline.now, world.store)
        recorder.check { checker in
            checker.read(readings, at: now) { store.realDeadline(of: $0, term: $1) }
            for reading in readings {
                guard let term = reading.term, let deadline = reading.deadline else { continue }
                checker.claimed(
                    term,
                    lease: scenario.configurations[processes[reading.process].node].leaseDuration,
                    deadline: deadline,
                    process: reading.process,
                    group: reading.group
                )
            }
        }
        if case .everybody = touched { active.removeAll { $0.stopBy != nil && $0.hasEnded && $0.isTidy } }
    }

    private func checkStop(of process: SimulatedProcess) {
        guard let stopBy = process.stopBy, process.condition == .running, !process.hasEnded else { return }
        if timeline.now > stopBy { fail("L6", "process \(process.id) was asked to stop and has not returned in time") }
    }

    // MARK: The course of a world

    private func perform(_ command: Command) throws -> Bool {
        switch command {
        case .trouble:
            if timeline.now < scenario.heal {
                try makeTrouble()
                let calm = max(1_000_000, Int64(Double(scenario.meanCalm) * dice.real(0.1...1.9)))
                timeline.schedule(at: timeline.now + calm, .command(.trouble))
            }
        case .mend(let process): network.mend(process)
        case .resume(let process):
            if processes[process].condition == .paused {
                recorder.trace("process \(process) goes on")
                processes[process].resume()
            }
        case .restart(let node): try launch(on: node)
        case .storeComesUp: world.store.comeUp()
        case .heal: try heal()
        case .expectLeaders: expectLeaders()
        case .expectStability: expectStability()
        case .expectHandOver: expectHandOver()
        case .expectTheEnd:
            expectTheEnd()
            return true
        }
        return false
    }

    private func heal() throws {
        recorder.trace("all troubles end")
        world.store.comeUp()
        for process in active {
            network.mend(process.id)
            if process.condition == .paused { process.resume() }
        }
        for node in current.indices where current[node] == nil { try launch(on: node) }
        network.push(.resync)
        // A lease that stands, a back-off that has begun, a call under way, and timers that are late.
        let longest = scenario.longestLease * (1 + 3 * scenario.drift)
        let bound = longest + longest * 0.5 + longest * 0.17 + .milliseconds(400)
        timeline.schedule(at: timeline.now + bound.wholeNanoseconds, .command(.expectLeaders))
    }

    private func leaders() -> [(group: Int, process: Int, term: Int64)] {
        active.flatMap { process in
            (0..<scenario.groups).compactMap { group in
                process.reading(of: group).term.map { (group, process.id, $0) }
            }
        }
    }

    private func expectLeaders() {
        let leaders = leaders()
        for group in 0..<scenario.groups where !scenario.goesBackInTime {
            let count = leaders.filter { $0.group == group }.count
            if count != 1 { fail("L3", "group \(group) has \(count) leaders although all troubles ended long ago") }
        }
        settled = Dictionary(leaders.map { ($0.group, $0.term) }, uniquingKeysWith: { first, _ in first })
        settledAt = (timeline.now, recorder.storeRequests)
        let calm = (scenario.longestLease * 1.3).wholeNanoseconds
        timeline.schedule(at: timeline.now + calm, .command(.expectStability))
    }

    private func expectStability() {
        let leaders = leaders()
        // Whose terms went back may be refused by the very heir: then the lease is anybody's.
        for (group, term) in settled where !(scenario.goesBackInTime && world.store.wasHandedOver(term)) {
            let isHeld = leaders.contains {
                $0.group == group && ($0.term == term || world.store.wasTransferred($0.term))
            }
            if !isHeld { fail("L2", "group \(group) lost term \(term) in calm weather") }
        }
        let seconds = Double(timeline.now - settledAt.time) / 1e9
        let lease =
            Double((scenario.configurations.map(\.leaseDuration).min() ?? scenario.lease).wholeNanoseconds) / 1e9
        // Where every grant is refused, each of them has everybody look twice: when it is given, and given back.
        let lookers = scenario.goesBackInTime ? 2 * active.count : 1
        let perSecond = Double(scenario.groups * active.count * lookers) * (5 / lease + 2)
        let requests = recorder.storeRequests - settledAt.requests
        if Double(requests) > perSecond * (seconds + 1) {
            fail("C8", "\(requests) requests in \(seconds) calm seconds: the engine polls")
        }
        handingOver = leaders.first { $0.group == 0 }?.process
        guard let handingOver else { return stopAll() }
        recorder.trace("process \(handingOver) is asked to stop")
        processes[handingOver].stop()
        timeline.schedule(at: timeline.now + 100_000_000, .command(.expectHandOver))
    }

    private func expectHandOver() {
        let isHandedOver = leaders().contains { $0.group == 0 && $0.process != handingOver }
        if !isHandedOver, !scenario.goesBackInTime {
            fail("L2", "nobody leads group 0 although its leader stopped 100 ms ago")
        }
        stopAll()
    }

    private func stopAll() {
        for process in active where process.condition == .running { process.stop() }
        let last = active.compactMap(\.stopBy).max() ?? timeline.now
        timeline.schedule(at: last + 1_000_000, .command(.expectTheEnd))
    }

    private func expectTheEnd() {
        for process in active where process.condition == .running && !process.hasEnded {
            fail("L6", "process \(process.id) was asked to stop and has not returned")
        }
        for (index, group) in world.store.groups.enumerated() {
            if let holder = world.store.holder(of: group), !scenario.goesBackInTime {
                fail("L6", "everybody has stopped, but term \(holder.term) of group \(index) still stands")
            }
        }
    }

    /// Lets every task of every process end, those of crashed ones too, so that nothing leaks.
    private func takeDown() {
        recorder.mute()
        for process in processes {
            network.disconnect(process.id)
            process.resume()
            process.stop()
        }
        active = processes.filter { !$0.isTidy }
        let end = timeline.now + 200_000_000_000
        for _ in 0..<Self.maximumSteps {
            drain(active)
            active.removeAll { $0.isTidy }
            guard !active.isEmpty, timeline.now < end, let occurrence = timeline.advance() else { break }
            switch occurrence {
            case .inside(let process, let action): processes[process].deliver(action)
            case .outside(let action): action()
            case .command: break
            }
        }
        timeline.clear()
    }
}
