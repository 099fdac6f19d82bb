// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import Synchronization

/// What a program does with leadership: work that ends promptly, or late, or fails, and that writes to a resource.
final class SimulatedUser: Sendable {
    private enum Mood: CaseIterable {
        case diligent
        case stubborn
        case brief
        case failing
    }

    private struct Failure: Error {}

    private let process: Int
    private let group: Int
    private let timeline: Timeline
    private let recorder: Recorder
    private let scenario: Scenario
    private let clock: SimulationClock
    private let dice: Mutex<SeededGenerator>

    init(process: Int, group: Int, world: SimulatedWorld, clock: SimulationClock, random: SeededGenerator) {
        self.process = process
        self.group = group
        timeline = world.timeline
        recorder = world.recorder
        scenario = world.scenario
        self.clock = clock
        dice = Mutex(random)
    }

    /// Works whenever the service leads, until it stops.
    func work(with service: ElectionService) async {
        while true {
            do {
                try await service.whileLeader { leadership in try await self.body(leadership) }
                return
            } catch is Failure {
                // A program that shrugs off a failed job and waits for its next term.
                await clock.sleepOn(for: .milliseconds(20))
            } catch {
                return
            }
        }
    }

    func workOnce(with service: ElectionService) async {
        _ = try? await service.runIfLeader { leadership in try await self.body(leadership) }
    }

    private func body(_ leadership: Leadership) async throws {
        let term = leadership.term
        recorder.check { $0.workBegan(term, process: self.process, group: self.group) }
        defer { recorder.check { $0.workEnded(term, process: self.process, group: self.group) } }
        let mood = isTroubled ? draw { $0.pick(Mood.allCases) } : .diligent
        do {
            switch mood {
            case .diligent, .stubborn: while true { try await step(leadership) }
            case .brief: try await step(leadership)
            case .failing:
                try await step(leadership)
                throw Failure()
            }
        } catch is CancellationError {
            guard mood == .stubborn, isTroubled else { throw CancellationError() }
            let lease = scenario.lease.wholeNanoseconds
            let late = min(draw { $0.nanoseconds(0...2 * lease) }, scenario.heal - timeline.now)
            await clock.sleepOn(for: .nanoseconds(late))
            throw CancellationError()
        }
    }

    /// Checks, is perhaps held up, writes, rests.
    private func step(_ leadership: Leadership) async throws {
        if leadership.isValid {
            let (process, group, recorder, term) = (process, group, recorder, leadership.term)
            let lease = scenario.lease.wholeNanoseconds
            let isHeldUp = isTroubled && draw { $0.chance(0.1) }
            let delay = draw { $0.nanoseconds(0...(isHeldUp ? 2 * lease : 3_000_000)) }
            timeline.schedule(
                at: timeline.now + delay,
                .outside {
                    let isAccepted = recorder.checked { $0.wrote(term, process: process, group: group) }
                    recorder.trace(
                        "resource \(group): write of process \(process), term \(term), accepted: \(isAccepted)"
                    )
                }
            )
        }
        try await clock.sleep(for: .nanoseconds(draw { $0.nanoseconds(100_000_000...700_000_000) }))
    }

    private var isTroubled: Bool { timeline.now < scenario.heal }

    private func draw<Result>(_ body: (inout SeededGenerator) -> Result) -> Result {
        dice.withLock { body(&$0) }
    }
}
