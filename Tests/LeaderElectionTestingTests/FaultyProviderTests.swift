// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@Suite("Faulty provider", .timeLimit(.minutes(2)))
struct FaultyProviderTests {
    private let clock = ManualClock()
    private let store: InMemoryElectionStore
    private let group: ElectionGroup

    init() throws {
        store = InMemoryElectionStore(clock: clock)
        group = try ElectionGroup("jobs/nightly")
    }

    private struct Boom: Error {}

    private func provider(_ rules: [FaultRule], seed: UInt64 = 7) -> FaultyProvider {
        FaultyProvider(
            wrapping: InMemoryElectionProvider(store: store),
            clock: clock,
            seed: seed,
            rules: rules
        )
    }

    private func request(_ group: ElectionGroup? = nil, nonce: Nonce = Nonce()) -> AcquireRequest {
        AcquireRequest(
            group: group ?? self.group,
            candidate: Candidate(id: "a", incarnation: Nonce()),
            nonce: nonce,
            leaseDuration: .seconds(10),
            timeout: .seconds(1)
        )
    }

    private func term(_ answer: AcquireAnswer?) -> Int64? {
        if case .granted(let term, _)? = answer { term } else { nil }
    }

    private func isUnknown(_ answer: AcquireAnswer?) -> Bool {
        if case .unknown? = answer { true } else { false }
    }

    @Test("a deferral reaches the caller and not the store") func deferral() async throws {
        let provider = provider([FaultRule(.deferral(for: .seconds(3), reason: "loss"), when: .first(2))])
        guard case .deferred(.seconds(3), "loss")? = try await provider.acquire([request()]).first,
            case .free? = try await provider.holders(of: [group]).first
        else {
            Issue.record("the first acquisition is put off")
            return
        }
        // Of other verbs nothing comes of it.
        #expect(term(try await provider.acquire([request()]).first) != nil)
    }

    @Test(
        "without rules it conforms as the provider that it wraps",
        arguments: ProviderConformance.cases(
            for: [
                .expiry, .remaining, .observedTakeover, .hints, .wipe, .everyGroupName, .notes, .quietNotes, .transfer,
            ]
        )
    )
    func conforms(_ conformanceCase: ProviderConformance.Case) async throws {
        let (clock, store) = (clock, store)
        try await conformanceCase.run(
            ProviderConformance(
                makeProvider: { FaultyProvider(wrapping: InMemoryElectionProvider(store: store), clock: clock) },
                passTime: { clock.advance(by: $0) },
                wipe: { store.wipe() }
            )
        )
    }

    @Test("a request that is dropped before applying leaves no trace")
    func dropBefore() async throws {
        let faulty = provider([FaultRule(.dropBeforeApplying, when: .first(1))])
        let request = request()
        #expect(isUnknown(try await faulty.acquire([request]).first))
        #expect(store.records.isEmpty)
        #expect(term(try await faulty.acquire([request]).first) != nil)
    }

    @Test("a request that is dropped after applying was carried out, and its repetition has the same term")
    func dropAfter() async throws {
        let faulty = provider([FaultRule(.dropAfterApplying, when: .first(1))])
        let request = request()
        #expect(isUnknown(try await faulty.acquire([request]).first))
        let granted = try #require(store.records[group]?.term)
        #expect(term(try await faulty.acquire([request]).first) == granted)
    }

    @Test("an error reaches the caller and nothing reaches the store")
    func error() async throws {
        let faulty = provider([FaultRule(.error(Boom()), on: [.acquire])])
        await #expect(throws: Boom.self) { try await faulty.acquire([request()]) }
        #expect(store.records.isEmpty)
        _ = try await faulty.holders(of: [group])
    }

    @Test("a duplicated acquisition counts as one more sign of life, and its first answer is seen")
    func duplicate() async throws {
        let faulty = provider([FaultRule(.duplicate)])
        #expect(term(try await faulty.acquire([request()]).first) != nil)
        #expect(store.records[group]?.lease?.sequence == 1)
    }

    @Test("a duplicated release is answered as the first, although the second found nothing")
    func duplicateRelease() async throws {
        let faulty = provider([FaultRule(.duplicate, on: [.release])])
        let request = request()
        _ = try await faulty.acquire([request])
        let release = ReleaseRequest(group: group, nonce: request.nonce, term: nil, timeout: .seconds(1))
        guard case .released = try await faulty.release([release]).first else {
            Issue.record("the first answer is lost")
            return
        }
    }

    @Test("a delayed call reaches the store when the clock has moved that far")
    func delay() async throws {
        let faulty = provider([FaultRule(.delay(.seconds(3)))])
        let request = request()
        let due = clock.now.advanced(by: .seconds(3))
        async let answers = faulty.acquire([request])
        try await clock.waitForTimer(at: due)
        #expect(store.records.isEmpty)
        clock.advance(to: due)
        #expect(term(try await answers.first) != nil)
    }

    @Test("a delayed answer comes late from a call that was in time")
    func delayAnswer() async throws {
        let faulty = provider([FaultRule(.delayAnswer(.seconds(9)))])
        let request = request()
        let due = clock.now.advanced(by: .seconds(9))
        async let answers = faulty.acquire([request])
        try await clock.waitForTimer(at: due)
        #expect(store.records[group]?.lease?.nonce == request.nonce)
        clock.advance(to: due)
        #expect(term(try await answers.first) != nil)
    }

    @Test("a hanging call goes on, late, when it is released", arguments: [false, true])
    func hang(isDeaf: Bool) async throws {
        let faulty = provider([FaultRule(isDeaf ? .hangDeafly : .hang)])
        let request = request()
        async let answers = faulty.acquire([request])
        try await faulty.waitForSuspendedCalls(1)
        clock.advance(by: .seconds(60))
        #expect(store.records.isEmpty)
        faulty.releaseHung()
        #expect(term(try await answers.first) != nil)
        #expect(faulty.suspendedCalls == 0)
    }

    @Test(
        "cancellation ends a hang, a hold and a delay, and nothing reaches the store",
        arguments: [
            FaultRule(.hang), FaultRule(.reorder), FaultRule(.delay(.seconds(5))),
        ]
    )
    func cancellation(rule: FaultRule) async throws {
        let faulty = provider([rule])
        let request = request()
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { _ = try await faulty.acquire([request]) }
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
        }
        #expect(store.records.isEmpty)
        #expect(faulty.suspendedCalls == 0)
        #expect(clock.pendingTimers == 0)
    }

    @Test("of two calls in a row the first is applied last")
    func reorder() async throws {
        let order = Mutex<[String]>([])
        let recorder = RecordingProvider { name in order.withLock { $0.append(name) } }
        let faulty = FaultyProvider(wrapping: recorder, clock: clock, rules: [FaultRule(.reorder, on: [.holders])])
        let (first, second) = (try ElectionGroup("first"), try ElectionGroup("second"))
        async let held = faulty.holders(of: [first])
        try await faulty.waitForSuspendedCalls(1)
        _ = try await faulty.release([])
        _ = try await faulty.holders(of: [second])
        _ = try await held
        #expect(order.withLock { $0 } == ["second", "first"])
    }

    @Test("a wipe, a wall-clock step and a pause happen right before the call")
    func actions() async throws {
        let store = store
        let wall = clock.wallNanoseconds
        let start = clock.now
        let faulty = provider([
            FaultRule(.wipe { store.wipe() }, when: .sequence([false, true])),
            FaultRule(.wallClockStep(clock, by: .seconds(-5)), when: .first(1)),
            FaultRule(.pause(clock, for: .seconds(2)), when: .first(1)),
        ])
        let request = request()
        _ = try await faulty.acquire([request])
        #expect(clock.now == start.advanced(by: .seconds(2)))
        #expect(clock.wallNanoseconds == wall - 3_000_000_000)
        guard case .free(nil) = try await faulty.holders(of: [group]).first else {
            Issue.record("the store was not wiped")
            return
        }
    }

    @Test("a rule strikes its own groups of a batch only, and answers stay in order")
    func batch() async throws {
        let faulty = provider([
            FaultRule(.dropBeforeApplying, groups: "jobs/*"), FaultRule(.dropAfterApplying, groups: "mail"),
        ])
        let groups = try ["mail", "jobs/a", "mailer", "jobs", "jobs/b"].map { try ElectionGroup($0) }
        let answers = try await faulty.acquire(groups.map { request($0) })
        #expect(answers.map(isUnknown) == [true, true, false, false, true])
        #expect(Set(store.records.keys.map(\.name)) == ["mail", "mailer", "jobs"])
        #expect(faulty.faultCounts == [2, 1])
        #expect(faulty.injectedFaults.map { $0.group?.name } == ["mail", "jobs/a", "jobs/b"])
    }

    @Test(
        "occasions strike as they say",
        arguments: [
            (FaultRule.Occasion.always, [1, 2, 3, 4, 5, 6, 7]), (.first(2), [1, 2]), (.after(5), [6, 7]),
            (.every(3), [3, 6]), (.every(0), []), (.sequence([true, false, true]), [1, 3]), (.probability(0), []),
            (.probability(1), [1, 2, 3, 4, 5, 6, 7]),
            (
                .between(
                    ElectionInstant(nanoseconds: 1_002_000_000_000),
                    ElectionInstant(nanoseconds: 1_004_000_000_000)
                ),
                [3, 4]
            ),
        ]
    )
    func occasions(occasion: FaultRule.Occasion, expected: [Int]) async throws {
        let faulty = provider([FaultRule(.dropBeforeApplying, when: occasion)])
        var struck: [Int] = []
        for call in 1...7 {
            if isUnknown(try await faulty.acquire([request()]).first) { struck.append(call) }
            clock.advance(by: .seconds(1))
        }
        #expect(struck == expected)
    }

    private func pattern(seed: UInt64, rules: [FaultRule]) async throws -> [Bool] {
        let faulty = provider(rules, seed: seed)
        var struck: [Bool] = []
        for _ in 0..<200 { struck.append(isUnknown(try await faulty.acquire([request()]).first)) }
        return struck
    }

    @Test("the seed fixes every random decision, and another rule does not change them")
    func reproducible() async throws {
        let rule = FaultRule(.dropBeforeApplying, when: .probability(0.3))
        let first = try await pattern(seed: 1, rules: [rule])
        #expect(try await pattern(seed: 1, rules: [rule]) == first)
        #expect(try await pattern(seed: 2, rules: [rule]) != first)
        let other = FaultRule(.duplicate, when: .probability(0.5))
        #expect(try await pattern(seed: 1, rules: [rule, other]) == first)
        #expect((30...90).contains(first.count { $0 }))
    }

    @Test("the log keeps the newest faults and no more")
    func boundedLog() async throws {
        let faulty = FaultyProvider(
            wrapping: InMemoryElectionProvider(store: store),
            clock: clock,
            rules: [FaultRule(.duplicate)],
            logCapacity: 5
        )
        for _ in 0..<37 {
            clock.advance(by: .seconds(1))
            _ = try await faulty.acquire([request()])
        }
        let instants = (0..<5).map { clock.now.advanced(by: .seconds($0 - 4)) }
        #expect(faulty.injectedFaults.map(\.instant) == instants)
        #expect(faulty.faultCounts == [37])
        faulty.replaceRules([])
        #expect(faulty.injectedFaults.isEmpty)
        #expect(faulty.faultCounts.isEmpty)
    }
}

/// Tells the names of groups in the order in which calls reach it.
private final class RecordingProvider: ElectionProvider {
    let note: @Sendable (String) -> Void

    init(_ note: @escaping @Sendable (String) -> Void) { self.note = note }

    var guarantees: ProviderGuarantees { InMemoryElectionProvider().guarantees }
    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] { [] }
    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] { [] }
    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] { [] }
    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        for group in groups { note(group.name) }
        return groups.map { _ in .free(lastTerm: nil) }
    }
}
