// SPDX-License-Identifier: MIT

public import LeaderElection
internal import Synchronization

/// A provider that passes everything on to another one, and lets things go wrong on the way.
///
/// ```swift
/// let provider = FaultyProvider(
///     wrapping: InMemoryElectionProvider(store: store), clock: clock, seed: 7,
///     rules: [FaultRule(.dropAfterApplying, when: .probability(0.1), on: [.renew], groups: "jobs*")])
/// ```
/// A run with the same seed and the same order of calls meets the same faults. When several strike one call, they
/// happen in this order: actions such as a wipe, delay, hang, error, reordering; then the store is called; then what
/// happens to the answers. Notes and transfers are passed on, too, if the wrapped provider can do them.
public final class FaultyProvider: PushingProvider {
    private struct State {
        var injector: FaultInjector
        var hung: [Gate] = []
        var heldBack: [FaultRule.Operation: [Gate]] = [:]
        var waiters: [(count: Int, gate: Gate)] = []

        var suspendedCalls: Int { hung.count + heldBack.values.reduce(0) { $0 + $1.count } }

        mutating func takeSatisfiedWaiters() -> [Gate] {
            let count = suspendedCalls
            defer { waiters.removeAll { $0.count <= count } }
            return waiters.filter { $0.count <= count }.map(\.gate)
        }
    }

    let wrapped: any ElectionProvider
    let clock: any ElectionClock
    private let seed: UInt64
    private let logCapacity: Int
    private let state: Mutex<State>

    /// Wraps a provider.
    ///
    /// - Parameters:
    ///   - provider: where calls go in the end.
    ///   - clock: what delays are measured with.
    ///   - seed: fixes every random decision.
    ///   - rules: what goes wrong, and when.
    ///   - logCapacity: how many faults ``injectedFaults`` remembers.
    public init(
        wrapping provider: any ElectionProvider,
        clock: any ElectionClock,
        seed: UInt64 = 0,
        rules: [FaultRule] = [],
        logCapacity: Int = 10_000
    ) {
        wrapped = provider
        self.clock = clock
        self.seed = seed
        self.logCapacity = logCapacity
        state = Mutex(State(injector: FaultInjector(rules: rules, seed: seed, logCapacity: logCapacity)))
    }

    /// Puts other rules in place, with counts, log and random decisions as at the start; calls under way are left alone.
    public func replaceRules(_ rules: [FaultRule]) {
        state.withLock { $0.injector = FaultInjector(rules: rules, seed: seed, logCapacity: logCapacity) }
    }

    /// The newest faults that happened, oldest first.
    public var injectedFaults: [InjectedFault] { state.withLock { $0.injector.newestFaults } }

    /// How often each rule struck, in the order of the rules.
    public var faultCounts: [Int] { state.withLock { $0.injector.counts } }

    /// How many calls hang, or are held back until another call went through.
    public var suspendedCalls: Int { state.withLock { $0.suspendedCalls } }

    /// Returns as soon as this many calls hang, or are held back, at once.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForSuspendedCalls(_ count: Int) async throws {
        let gate = Gate()
        state.withLock { $0.waiters.append((count, gate)) }
        defer { state.withLock { $0.waiters.removeAll { $0.gate === gate } } }
        tellWaiters()
        try await gate.wait()
    }

    private func tellWaiters() {
        for gate in state.withLock({ $0.takeSatisfiedWaiters() }) { gate.open() }
    }

    /// Lets every hanging call go on to the store, late.
    public func releaseHung() {
        let gates = state.withLock { state in
            defer { state.hung = [] }
            return state.hung
        }
        for gate in gates { gate.open() }
    }

    /// The guarantees of the wrapped provider, which faults may well break.
    public var guarantees: ProviderGuarantees { wrapped.guarantees }

    /// Asks the wrapped provider; no fault interferes.
    public func validate(_ group: ElectionGroup, leaseDuration: Duration) throws {
        try wrapped.validate(group, leaseDuration: leaseDuration)
    }

    /// Passed on as the rules permit.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        try await pass(
            .acquire,
            requests,
            group: \.group,
            unknown: AcquireAnswer.unknown,
            deferred: AcquireAnswer.deferred
        ) {
            try await self.wrapped.acquire($0)
        }
    }

    /// Passed on as the rules permit.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        try await pass(.renew, requests, group: \.group, unknown: RenewAnswer.unknown) {
            try await self.wrapped.renew($0)
        }
    }

    /// Passed on as the rules permit.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        try await pass(.release, requests, group: \.group, unknown: ReleaseAnswer.unknown) {
            try await self.wrapped.release($0)
        }
    }

    /// Passed on as the rules permit.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        try await pass(.holders, groups, group: \.self, unknown: HolderAnswer.unknown) {
            try await self.wrapped.holders(of: $0)
        }
    }

    func faults(for operation: FaultRule.Operation, group: ElectionGroup?) -> [Fault.Kind] {
        let now = clock.now
        return state.withLock { $0.injector.faults(for: operation, group: group, at: now) }
    }

    func pass<Request: Sendable, Answer: Sendable>(
        _ operation: FaultRule.Operation,
        _ requests: [Request],
        group: (Request) -> ElectionGroup,
        unknown: (any Error) -> Answer,
        deferred: ((Duration, String) -> Answer)? = nil,
        to call: ([Request]) async throws -> [Answer]
    ) async throws -> [Answer] {
        var plan = FaultPlan()
        for (index, request) in requests.enumerated() {
            for fault in faults(for: operation, group: group(request)) { plan.add(fault, toRequest: index) }
        }
        try await meetFaultsBeforeCall(plan, of: operation)
        defer { letGoHeldBack(operation) }
        guard !plan.isEmpty else { return try await call(requests) }

        var answers = requests.map { _ in unknown(Self.dropped) }
        if let deferred {
            for (index, deferral) in plan.deferred where plan.unsent.insert(index).inserted {
                answers[index] = deferred(deferral.retryAfter, deferral.reason)
            }
        }
        let sent = requests.indices.filter { !plan.unsent.contains($0) }
        if !sent.isEmpty {
            let received = try await call(sent.map { requests[$0] })
            for (index, answer) in zip(sent, received) where !plan.unanswered.contains(index) {
                answers[index] = answer
            }
        }
        let doubled = plan.doubled.filter { !plan.unsent.contains($0) }
        if !doubled.isEmpty { _ = try? await call(doubled.map { requests[$0] }) }
        if let delay = plan.answerDelay { try await sleep(delay) }
        return answers
    }

    private func meetFaultsBeforeCall(_ plan: FaultPlan, of operation: FaultRule.Operation) async throws {
        for action in plan.before { action() }
        if let delay = plan.delay { try await sleep(delay) }
        if let isDeaf = plan.hangs {
            let gate = Gate()
            state.withLock { $0.hung.append(gate) }
            defer { state.withLock { $0.hung.removeAll { $0 === gate } } }
            tellWaiters()
            try await gate.wait(ignoringCancellation: isDeaf)
        }
        if let error = plan.error { throw error }
        if plan.isReordered {
            let gate = Gate()
            let isHeldBack = state.withLock { state in
                guard state.heldBack[operation, default: []].isEmpty else { return false }
                state.heldBack[operation] = [gate]
                return true
            }
            guard isHeldBack else { return }
            defer { state.withLock { $0.heldBack[operation]?.removeAll { $0 === gate } } }
            tellWaiters()
            try await gate.wait()
        }
    }

    private func letGoHeldBack(_ operation: FaultRule.Operation) {
        let gates = state.withLock { $0.heldBack.removeValue(forKey: operation) ?? [] }
        for gate in gates { gate.open() }
    }

    private func sleep(_ duration: Duration) async throws {
        let gate = Gate()
        let timer = clock.schedule(at: clock.now.advanced(by: duration)) { gate.open() }
        defer { timer.cancel() }
        try await gate.wait()
    }

    private static var dropped: ElectionError {
        ElectionError(.timedOut, "the answer was dropped by a rule of FaultyProvider; the outcome is unknown")
    }
}
