// SPDX-License-Identifier: MIT

package import LeaderElection
internal import Synchronization

/// Everything between the processes and the store: where messages get lost, late, doubled, and out of order.
package final class SimulatedNetwork: Sendable {
    /// The result of a call, once there is one.
    package typealias Ticket = OneShot<Result<StoreReply, ElectionError>>

    private struct Link {
        var isCutTowardsStore = false
        var isCutTowardsProcess = false
        var isGone = false
        var dice: [SeededGenerator]
        var hintDice: SeededGenerator
        var receive: (@Sendable (ProviderHint) -> Void)?
        var tickets: [Ticket] = []
    }

    private struct State {
        var links: [Link] = []
        var slowUntil: Int64 = 0
    }

    private let timeline: Timeline
    private let scenario: Scenario
    private let store: SimulatedStore
    private let recorder: Recorder
    private let state = Mutex(State())
    private let subscription = Mutex<(any HintSubscription)?>(nil)

    package init(timeline: Timeline, scenario: Scenario, store: SimulatedStore, recorder: Recorder) {
        self.timeline = timeline
        self.scenario = scenario
        self.store = store
        self.recorder = recorder
        // One subscription, fanned out in the order of processes: the order of a dictionary would not be repeatable.
        let subscription = store.subscribe { [weak self] hint in self?.push(hint) }
        self.subscription.withLock { $0 = subscription }
    }

    /// A process joins; processes are numbered in the order in which they do.
    package func join() -> Int {
        state.withLock { state in
            let process = state.links.count
            let streams = (0..<4).map { SeededGenerator(seed: scenario.seed, stream: 1000 + UInt64(process * 8 + $0)) }
            state.links.append(
                Link(dice: streams, hintDice: SeededGenerator(seed: scenario.seed, stream: 1007 + UInt64(process * 8)))
            )
            return process
        }
    }

    // MARK: Troubles

    package func cut(_ process: Int, towardsStore: Bool, towardsProcess: Bool) {
        state.withLock { state in
            if towardsStore { state.links[process].isCutTowardsStore = true }
            if towardsProcess { state.links[process].isCutTowardsProcess = true }
        }
    }

    package func mend(_ process: Int) {
        state.withLock { state in
            state.links[process].isCutTowardsStore = false
            state.links[process].isCutTowardsProcess = false
        }
    }

    package func slowDown(until time: Int64) { state.withLock { $0.slowUntil = time } }

    /// The process is being taken down: all its calls fail at once, now and from here on.
    package func disconnect(_ process: Int) {
        let tickets = state.withLock { state in
            state.links[process].isGone = true
            state.links[process].receive = nil
            defer { state.links[process].tickets = [] }
            return state.links[process].tickets
        }
        for ticket in tickets { ticket.resolve(.failure(Self.error("the world has ended"))) }
    }

    private var isTroubled: Bool { timeline.now < scenario.heal }

    // MARK: Calls

    package func send(_ call: StoreCall, from process: Int) -> Ticket {
        let ticket = Ticket()
        let isGone = state.withLock { state in
            guard !state.links[process].isGone else { return true }
            if state.links[process].tickets.count > 64 { state.links[process].tickets.removeFirst(32) }
            state.links[process].tickets.append(ticket)
            return false
        }
        if isGone {
            ticket.resolve(.failure(Self.error("the world has ended")))
            return ticket
        }
        let lane = call.lane
        let lost = isTroubled && roll(process, lane) { $0.chance(self.scenario.wire.lossOfRequests) }
        let again = isTroubled && roll(process, lane) { $0.chance(self.scenario.wire.duplication) }
        // Drawn always, so that one fault more or less moves nothing else.
        let delay = drawDelay(process, lane)
        let secondDelay = drawDelay(process, lane) * 3
        let timeout = roll(process, lane) { $0.real(0.2...3) }
        let patience = Int64(Double(scenario.lease.wholeNanoseconds) * timeout)
        timeline.schedule(
            at: bounded(timeline.now + patience),
            .inside(process: process) { ticket.resolve(.failure(Self.error("the connection was given up"))) }
        )
        if !lost { deliver(call, from: process, after: delay, ticket) }
        if again { deliver(call, from: process, after: secondDelay, ticket) }
        return ticket
    }

    private func deliver(_ call: StoreCall, from process: Int, after delay: Int64, _ ticket: Ticket) {
        timeline.schedule(
            at: bounded(timeline.now + delay),
            .outside { [self] in
                guard !state.withLock({ $0.links[process].isCutTowardsStore || $0.links[process].isGone }) else {
                    return
                }
                guard store.isUp else {
                    if roll(process, call.lane, { $0.chance(0.5) }) {
                        answer(.failure(Self.error("connection refused")), to: process, call.lane, ticket)
                    }
                    return
                }
                let reply = store.receive(call, from: process)
                let isLost = isTroubled && roll(process, call.lane) { $0.chance(self.scenario.wire.lossOfReplies) }
                if !isLost { answer(.success(reply), to: process, call.lane, ticket) }
            }
        )
    }

    private func answer(_ result: Result<StoreReply, ElectionError>, to process: Int, _ lane: Int, _ ticket: Ticket) {
        let arrival = bounded(timeline.now + drawDelay(process, lane))
        timeline.schedule(
            at: arrival,
            .inside(process: process) { [self] in
                guard !state.withLock({ $0.links[process].isCutTowardsProcess }) else { return }
                ticket.resolve(result)
            }
        )
    }

    // MARK: Hints

    package func subscribe(_ process: Int, _ receive: @escaping @Sendable (ProviderHint) -> Void) {
        state.withLock { $0.links[process].receive = receive }
    }

    /// The store tells everybody; each hears of it in their own time, or not, or twice.
    package func push(_ hint: ProviderHint) {
        for process in 0..<state.withLock({ $0.links.count }) { push(hint, to: process) }
    }

    package func push(_ hint: ProviderHint, to process: Int) {
        let copies: [Int64] = state.withLock { state in
            guard state.links[process].receive != nil else { return [] }
            var dice = state.links[process].hintDice
            defer { state.links[process].hintDice = dice }
            let isTroubled = isTroubled
            if isTroubled, !store.isUp || state.links[process].isCutTowardsProcess { return [] }
            if isTroubled, dice.chance(scenario.wire.lossOfHints) { return [] }
            var copies = [dice.nanoseconds(100_000...2_000_000)]
            if isTroubled, dice.chance(scenario.wire.duplication) {
                copies.append(dice.nanoseconds(100_000...max(100_000, scenario.lease.wholeNanoseconds)))
            }
            return copies
        }
        for delay in copies {
            recorder.countHint()
            timeline.schedule(
                at: bounded(timeline.now + delay),
                .inside(process: process) { [self] in
                    let receive = state.withLock { $0.links[process].receive }
                    receive?(hint)
                }
            )
        }
    }

    // MARK: Luck

    private func roll<Result>(_ process: Int, _ lane: Int, _ body: (inout SeededGenerator) -> Result) -> Result {
        state.withLock { body(&$0.links[process].dice[lane]) }
    }

    private func drawDelay(_ process: Int, _ lane: Int) -> Int64 {
        let isTroubled = isTroubled
        let lease = scenario.lease.wholeNanoseconds
        return state.withLock { state in
            let isSlow = timeline.now < state.slowUntil
            let kind = state.links[process].dice[lane].real(0...1)
            var most: Int64 = 2_000_000
            if isTroubled {
                if kind < scenario.wire.verySlow {
                    most = 2 * lease
                } else if kind < scenario.wire.verySlow + scenario.wire.slow {
                    most = lease / 3
                } else if isSlow {
                    most = lease / 5
                }
            }
            return state.links[process].dice[lane].nanoseconds(100_000...most)
        }
    }

    /// What troubles did to messages ends soon after the troubles.
    private func bounded(_ time: Int64) -> Int64 {
        guard timeline.now < scenario.heal else { return min(time, timeline.now + 50_000_000) }
        return time < scenario.heal ? time : min(time, scenario.heal + time % 50_000_000)
    }

    private static func error(_ message: String) -> ElectionError { ElectionError(.storeUnavailable, message) }
}

extension StoreCall {
    /// Each verb travels on a connection of its own, so that verbs can overtake each other.
    var lane: Int {
        switch self {
        case .acquire: 0
        case .renew: 1
        case .release, .transfer: 2
        case .read, .write, .remove, .notes: 3
        }
    }
}
