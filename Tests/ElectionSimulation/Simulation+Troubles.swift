// SPDX-License-Identifier: MIT

internal import LeaderElection

extension Simulation {
    private static var maximumProcesses: Int { 40 }

    private enum Trouble {
        case partition, outage, pause, stall, freeze, crash, stop, resign, transfer, suspension, wallStep,
            storeWallStep, hints, twin, slowness
    }

    func makeTrouble() throws {
        let troubles = scenario.troubles
        let weights: [(Trouble, Double)] = [
            (.partition, troubles.partition), (.outage, troubles.outage), (.pause, troubles.pause),
            (.stall, troubles.stall), (.freeze, troubles.freeze), (.crash, troubles.crash), (.stop, troubles.stop),
            (.resign, troubles.resign), (.transfer, troubles.transfer), (.suspension, troubles.suspension),
            (.wallStep, troubles.wallStep), (.storeWallStep, troubles.storeWallStep),
            (.hints, troubles.hints), (.twin, troubles.twin), (.slowness, troubles.slowness),
        ]
        var luck = dice.real(0...max(0.001, weights.reduce(0) { $0 + $1.1 }))
        for (trouble, weight) in weights where weight > 0 {
            luck -= weight
            if luck <= 0 { return try make(trouble) }
        }
    }

    private func make(_ trouble: Trouble) throws {
        switch trouble {
        case .partition: partition()
        case .outage: outage()
        case .pause: pause(upTo: 3, unseen: false)
        case .stall: pause(upTo: 0.3, unseen: false)
        case .freeze: pause(upTo: 3, unseen: true)
        case .crash: crash()
        case .stop: stop()
        case .resign: resign()
        case .transfer: transfer()
        case .suspension: suspend()
        case .wallStep: stepWallClock()
        case .storeWallStep:
            world.store.clock.setWall(by: dice.pick([3_600_000_000_000, -3_600_000_000_000, -2_000_000_000]))
        case .hints: spuriousHints()
        case .twin:
            if let id = victim(preferLeader: true), processes.count < Self.maximumProcesses {
                recorder.trace("a second process starts as node-\(processes[id].node)")
                try launch(on: processes[id].node, replacing: false)
            }
        case .slowness:
            let until = min(scenario.heal, timeline.now + drawTime(3))
            network.slowDown(until: until)
        }
    }

    /// A time up to so many leases, short ones as likely as long ones.
    private func drawTime(_ leases: Double) -> Int64 {
        let most = Double(scenario.lease.wholeNanoseconds) * leases
        return Int64(most * dice.real(0...1) * dice.real(0.05...1))
    }

    private func untilHeal(_ time: Int64) -> Int64 { min(timeline.now + time, scenario.heal - 1) }

    /// A process that runs; the leader of some group more often than not.
    private func victim(preferLeader: Bool) -> Int? {
        let running = active.filter { $0.condition == .running && $0.stopBy == nil }
        let leading = running.filter { process in process.services.contains { $0.isLeader } }
        let wantsLeader = dice.chance(preferLeader ? 0.7 : 0.3)
        let chosen = wantsLeader && !leading.isEmpty ? leading : running
        return chosen.isEmpty ? nil : dice.pick(chosen).id
    }

    private func partition() {
        guard let id = victim(preferLeader: true) else { return }
        let direction = dice.index(below: 3)
        network.cut(id, towardsStore: direction != 1, towardsProcess: direction != 0)
        recorder.trace("process \(id) is cut off\(["", " one way", " the other way"][(direction + 1) % 3])")
        timeline.schedule(at: untilHeal(drawTime(3)), .command(.mend(process: id)))
    }

    private func outage() {
        guard world.store.isUp else { return }
        world.store.goDown()
        var length = drawTime(2)
        if scenario.losesData, dice.chance(0.6) {
            // So long that the wall clock has moved on: a new term is larger than all those that were forgotten.
            length = max(length, 50_000_000)
            if scenario.goesBackInTime { world.store.clock.setWall(by: -dice.nanoseconds(0...100_000_000_000)) }
            world.store.wipe()
            recorder.trace("the store is down and loses its data")
        } else {
            recorder.trace("the store is down")
        }
        timeline.schedule(
            at: min(timeline.now + length, max(scenario.heal - 1, timeline.now + 50_000_000)),
            .command(.storeComesUp)
        )
    }

    private func pause(upTo leases: Double, unseen: Bool) {
        guard let id = victim(preferLeader: true) else { return }
        recorder.trace("process \(id) is \(unseen ? "frozen with its clock" : "paused")")
        processes[id].pause(unseen: unseen)
        timeline.schedule(at: untilHeal(drawTime(leases)), .command(.resume(process: id)))
    }

    private func crash() {
        guard let id = victim(preferLeader: true) else { return }
        recorder.trace("process \(id) crashes")
        processes[id].crash()
        active.removeAll { $0.id == id }
        leave(id)
    }

    private func stop() {
        guard let id = victim(preferLeader: true) else { return }
        recorder.trace("process \(id) is asked to stop")
        processes[id].stop()
        leave(id)
    }

    private func leave(_ id: Int) {
        let node = processes[id].node
        guard current[node] == id else { return }
        current[node] = nil
        timeline.schedule(at: untilHeal(drawTime(2)), .command(.restart(node: node)))
    }

    private func resign() {
        guard let id = victim(preferLeader: true) else { return }
        let group = dice.index(below: scenario.groups)
        if dice.chance(0.2) {
            recorder.trace("process \(id) runs something in group \(group) if it leads")
            processes[id].runOnce(group: group)
        } else {
            let time = min(drawTime(1), max(0, scenario.heal - timeline.now))
            recorder.trace("process \(id) resigns group \(group)")
            processes[id].resign(group: group, standingDownFor: .nanoseconds(time))
        }
    }

    private func transfer() {
        guard let id = victim(preferLeader: true) else { return }
        let group = dice.index(below: scenario.groups)
        let heir = "node-\(dice.index(below: scenario.nodes))"
        recorder.trace("process \(id) hands group \(group) to \(heir)")
        processes[id].transfer(group: group, to: heir)
    }

    private func suspend() {
        guard let id = victim(preferLeader: true) else { return }
        let group = dice.index(below: scenario.groups)
        recorder.trace("process \(id) is suspended in group \(group)")
        processes[id].suspend(group: group)
        timeline.schedule(
            at: untilHeal(drawTime(2)),
            .inside(process: id) { [process = processes[id]] in
                process.goOn(group: group)
            }
        )
    }

    private func stepWallClock() {
        guard let id = victim(preferLeader: true) else { return }
        let step: Int64 = dice.pick([3_600_000_000_000, -3_600_000_000_000, 5_000_000_000, 500_000_000, -500_000_000])
        recorder.trace("the wall clock of process \(id) is set by \(step / 1_000_000) ms")
        processes[id].clock.setWall(by: step)
    }

    private func spuriousHints() {
        let group = world.store.groups[dice.index(below: scenario.groups)]
        for _ in 0...dice.index(below: 20) { network.push(dice.chance(0.3) ? .resync : .changed(group)) }
    }

    /// Starts a process; as the one of its node, or beside that.
    func launch(on node: Int, replacing: Bool = true) throws {
        guard !replacing || current[node] == nil else { return }
        guard processes.count < Self.maximumProcesses || timeline.now >= scenario.heal else { return }
        let process = try SimulatedProcess(id: network.join(), node: node, world: world)
        recorder.trace("process \(process.id) starts as node-\(node)")
        processes.append(process)
        active.append(process)
        if replacing { current[node] = process.id }
        process.start()
    }
}
