// SPDX-License-Identifier: MIT

package import LeaderElection

/// Everything about one world that is drawn before it begins.
package struct Scenario: Sendable {
    /// How often one kind of trouble is chosen, relative to the others; zero for never.
    package struct Troubles: Sendable {
        package var partition = 0.0
        package var outage = 0.0
        package var pause = 0.0
        package var stall = 0.0
        package var freeze = 0.0
        package var crash = 0.0
        package var stop = 0.0
        package var resign = 0.0
        package var transfer = 0.0
        package var suspension = 0.0
        package var wallStep = 0.0
        package var storeWallStep = 0.0
        package var hints = 0.0
        package var twin = 0.0
        package var slowness = 0.0
    }

    /// How messages fare while troubles last.
    package struct Wire: Sendable {
        package var lossOfRequests = 0.0
        package var lossOfReplies = 0.0
        package var duplication = 0.0
        package var slow = 0.0
        package var verySlow = 0.0
        package var lossOfHints = 0.0
        /// Calls end as soon as their task is cancelled, as those of a well-behaved client do.
        package var callsHeedCancellation = true
    }

    package let seed: UInt64
    package let nodes: Int
    package let groups: Int
    /// ρ as configured everywhere.
    package let drift: Double
    /// The lease that most nodes ask for, and what each node is configured with.
    package let lease: Duration
    package let configurations: [ElectionConfiguration]
    package let hintsPrecedeRelease: Bool
    package var troubles = Troubles()
    package var wire = Wire()
    /// Whether an outage may lose the store's data, and whether terms may go back with it.
    package let losesData: Bool
    package let goesBackInTime: Bool
    package let maximumTimerLateness: Int64
    /// The mean time from one trouble to the next.
    package let meanCalm: Int64
    /// When all troubles end.
    package let heal: Int64

    package init(seed: UInt64) {
        var dice = SeededGenerator(seed: seed, stream: 1)
        self.seed = seed
        nodes = 3 + dice.index(below: 3)
        groups = 1 + dice.index(below: 2)
        drift = dice.pick([0.001, 0.001, 0.001, 0.01, 0.03])
        let lease = dice.pick([Duration.seconds(1), .milliseconds(1500), .seconds(2), .seconds(3), .seconds(5)])
        self.lease = lease
        let differ = dice.chance(0.3)
        let withGrace = dice.chance(0.2)
        let shutdown = dice.pick([Duration?.none, nil, .zero, lease * 0.25, lease * 2.0])
        let hasPriorities = dice.chance(0.2)
        let poll = dice.pick([Duration?.none, nil, .milliseconds(700)])
        let drift = drift
        configurations = (0..<nodes).map { node in
            var configuration = ElectionConfiguration(candidate: "node-\(node)", leaseDuration: lease)
            if differ, dice.chance(0.5) { configuration.leaseDuration = lease * dice.pick([0.75, 1.5, 2]) }
            if configuration.leaseDuration < .seconds(1) { configuration.leaseDuration = .seconds(1) }
            configuration.clockDriftBound = drift
            configuration.shutdownTimeout = shutdown
            configuration.retryInterval = poll
            if hasPriorities { configuration.priority = dice.index(below: 3) }
            if withGrace { configuration.gracePeriod = configuration.leaseDuration * 0.1 }
            return configuration
        }
        hintsPrecedeRelease = dice.chance(0.2)
        losesData = dice.chance(0.15)
        goesBackInTime = losesData && dice.chance(0.3)
        maximumTimerLateness = dice.pick([0, 1_000_000, 5_000_000, 100_000_000])
        meanCalm = dice.pick([150_000_000, 400_000_000, 1_000_000_000, 2_500_000_000])
        heal = dice.nanoseconds(8_000_000_000...20_000_000_000)
        drawTroubles(&dice)
        drawWire(&dice)
    }

    private mutating func drawTroubles(_ dice: inout SeededGenerator) {
        func weight(_ probability: Double) -> Double { dice.chance(probability) ? dice.real(0.1...1) : 0 }
        troubles.partition = weight(0.5)
        troubles.outage = losesData ? 0.7 : weight(0.3)
        troubles.pause = weight(0.5)
        troubles.stall = weight(0.4)
        troubles.freeze = weight(0.25)
        troubles.crash = weight(0.4)
        troubles.stop = weight(0.4)
        troubles.resign = weight(0.4)
        troubles.transfer = weight(0.4)
        troubles.suspension = weight(0.2)
        // A wall clock that is set back hides a freeze from the only guard that could see it.
        troubles.wallStep = troubles.freeze > 0 ? 0 : weight(0.25)
        troubles.storeWallStep = losesData ? 0 : weight(0.2)
        troubles.hints = weight(0.3)
        troubles.twin = weight(0.2)
        troubles.slowness = weight(0.4)
    }

    private mutating func drawWire(_ dice: inout SeededGenerator) {
        func probability(_ chance: Double, _ most: Double) -> Double {
            dice.chance(chance) ? dice.real(0.01...most) : 0
        }
        wire.lossOfRequests = probability(0.5, 0.3)
        wire.lossOfReplies = probability(0.5, 0.3)
        wire.duplication = probability(0.4, 0.3)
        wire.slow = probability(0.5, 0.4)
        wire.verySlow = probability(0.4, 0.2)
        wire.lossOfHints = probability(0.5, 0.8)
        wire.callsHeedCancellation = dice.chance(0.5)
    }

    /// T of the slowest node.
    package var longestLease: Duration { configurations.map(\.leaseDuration).max() ?? lease }

    /// What a holder may rely on: `T·(1 − 2ρ) − max(100 ms, T/20)`, written down here once more on purpose.
    package func validity(ofLease lease: Duration) -> Int64 {
        let nanoseconds = Double(lease.wholeNanoseconds)
        return Int64(nanoseconds * (1 - 2 * drift) - max(100_000_000, nanoseconds / 20))
    }
}
