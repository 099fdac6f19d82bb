// SPDX-License-Identifier: MIT

internal import LeaderElection

/// What all processes of one simulation share.
package struct SimulatedWorld: Sendable {
    /// Nanoseconds since 1970 at the beginning of every world.
    package static let wallStart: Int64 = 1_750_000_000_000_000_000

    package let scenario: Scenario
    package let timeline: Timeline
    package let recorder: Recorder
    package let store: SimulatedStore
    package let network: SimulatedNetwork

    package init(scenario: Scenario, isTracing: Bool) throws {
        self.scenario = scenario
        timeline = Timeline()
        let slack = max(1_000_000_000, scenario.longestLease.wholeNanoseconds / 10)
        recorder = Recorder(
            timeline: timeline,
            checker: Checker(
                groups: scenario.groups,
                termsMayRegress: scenario.goesBackInTime,
                freezeSlack: slack,
                validity: { scenario.validity(ofLease: $0) }
            ),
            isTracing: isTracing
        )
        var dice = SeededGenerator(seed: scenario.seed, stream: 3)
        let drift = scenario.drift * 0.999
        let groups = try (0..<scenario.groups).map { try ElectionGroup("group-\($0)") }
        store = SimulatedStore(
            clock: SimulationClock(
                timeline: timeline,
                process: nil,
                offset: dice.nanoseconds(0...1_000_000_000_000_000),
                rate: dice.pick([1 - drift, 1 + drift, 1]),
                wallOffset: Self.wallStart,
                maximumLateness: scenario.maximumTimerLateness,
                random: SeededGenerator(seed: scenario.seed, stream: 4)
            ),
            groups: groups,
            recorder: recorder
        )
        network = SimulatedNetwork(timeline: timeline, scenario: scenario, store: store, recorder: recorder)
    }
}
