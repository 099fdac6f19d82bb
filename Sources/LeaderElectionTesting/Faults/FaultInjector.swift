// SPDX-License-Identifier: MIT

import LeaderElection
internal import Synchronization

/// Decides which faults strike, and keeps the books.
struct FaultInjector: Sendable {
    private struct RuleState {
        let rule: FaultRule
        var generator: SeededGenerator
        var seen = 0
        var struck = 0

        mutating func strikes(at now: ElectionInstant) -> Bool {
            seen += 1
            let strikes =
                switch rule.occasion {
                case .always: true
                case .probability(let probability): Double.random(in: 0..<1, using: &generator) < probability
                case .first(let count): seen <= count
                case .after(let count): seen > count
                case .every(let period): period > 0 && seen % period == 0
                case .sequence(let list): seen <= list.count && list[seen - 1]
                case .between(let start, let end): start <= now && now < end
                }
            if strikes { struck += 1 }
            return strikes
        }
    }

    private var rules: [RuleState]
    /// The newest faults; the oldest are dropped when there are too many.
    private(set) var log: [InjectedFault] = []
    private let logCapacity: Int

    init(rules: [FaultRule], seed: UInt64, logCapacity: Int) {
        // Each rule draws from numbers of its own, so that adding a rule leaves the others' decisions as they were.
        var seeds = SeededGenerator(seed: seed)
        self.rules = rules.map { RuleState(rule: $0, generator: SeededGenerator(seed: seeds.next())) }
        self.logCapacity = max(1, logCapacity)
    }

    var counts: [Int] { rules.map(\.struck) }

    mutating func faults(
        for operation: FaultRule.Operation,
        group: ElectionGroup?,
        at now: ElectionInstant
    ) -> [Fault.Kind] {
        var faults: [Fault.Kind] = []
        for index in rules.indices {
            let rule = rules[index].rule
            guard rule.operations.contains(operation), group.map(rule.groups.matches) ?? rule.groups.matchesAll,
                rules[index].strikes(at: now)
            else { continue }
            faults.append(rule.fault.kind)
            if log.count >= 2 * logCapacity { log.removeFirst(log.count - logCapacity + 1) }
            log.append(
                InjectedFault(
                    rule: index,
                    fault: rule.fault.description,
                    operation: operation,
                    group: group,
                    instant: now
                )
            )
        }
        return faults
    }

    var newestFaults: [InjectedFault] { Array(log.suffix(logCapacity)) }
}

/// What is to happen to one call, put together from the faults of its requests.
struct FaultPlan: Sendable {
    var before: [@Sendable () -> Void] = []
    var delay: Duration?
    var answerDelay: Duration?
    var hangs: Bool?
    var error: (any Error)?
    var isReordered = false
    var unsent: Set<Int> = []
    var unanswered: Set<Int> = []
    var deferred: [Int: (retryAfter: Duration, reason: String)] = [:]
    var doubled: [Int] = []

    var isEmpty: Bool {
        before.isEmpty && delay == nil && answerDelay == nil && hangs == nil && error == nil && !isReordered
            && unsent.isEmpty && unanswered.isEmpty && deferred.isEmpty && doubled.isEmpty
    }

    mutating func add(_ fault: Fault.Kind, toRequest index: Int) {
        switch fault {
        case .delay(let duration): delay = max(delay ?? .zero, duration)
        case .delayAnswer(let duration): answerDelay = max(answerDelay ?? .zero, duration)
        case .hang(let isDeaf): hangs = isDeaf || (hangs ?? false)
        case .error(let error): self.error = self.error ?? error
        case .dropBeforeApplying: unsent.insert(index)
        case .dropAfterApplying: unanswered.insert(index)
        case .deferral(let duration, let reason): deferred[index] = (duration, reason)
        case .duplicate: if doubled.last != index { doubled.append(index) }
        case .reorder: isReordered = true
        case .run(let action): before.append(action)
        }
    }
}
