// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

@Suite("Faulty provider: notes and transfers", .timeLimit(.minutes(2)))
struct FaultyAbilitiesTests {
    private let clock = ManualClock()
    private let store: InMemoryElectionStore
    private let group: ElectionGroup

    init() throws {
        store = InMemoryElectionStore(clock: clock)
        group = try ElectionGroup("jobs/nightly")
    }

    private struct Boom: Error {}

    private func provider(_ rules: [FaultRule]) -> FaultyProvider {
        FaultyProvider(wrapping: InMemoryElectionProvider(store: store), clock: clock, rules: rules)
    }

    private func note(_ key: String = "a") -> NoteRequest {
        NoteRequest(group: group, key: key, text: key, lifetime: .seconds(60), isNews: true, timeout: .seconds(1))
    }

    /// Makes one call of the kind given; whether its answer is known.
    private func call(_ operation: FaultRule.Operation, _ faulty: FaultyProvider) async throws -> Bool {
        switch operation {
        case .writeNotes: return try await isDone(faulty.write([note()]))
        case .removeNotes:
            return try await isDone(faulty.remove([NoteRemoval(group: group, key: "a", timeout: .seconds(1))]))
        case .readNotes:
            if case .found? = try await faulty.notes(of: [group]).first { return true }
            return false
        default:
            let request = TransferRequest(
                group: group,
                nonce: Nonce(high: 0, low: 1),
                term: store.records[group]?.term ?? 0,
                heir: Candidate(id: "heir", incarnation: Nonce()),
                heirNonce: Nonce(high: 0, low: 2),
                leaseDuration: .seconds(10),
                timeout: .seconds(1)
            )
            if case .transferred? = try await faulty.transfer([request]).first { return true }
            return false
        }
    }

    private func isDone(_ answers: [NoteAnswer]) -> Bool {
        if case .done? = answers.first { answers.count == 1 } else { false }
    }

    /// A store in which every one of the calls would change something.
    private func prepare() {
        _ = store.acquire(
            AcquireRequest(
                group: group,
                candidate: Candidate(id: "a", incarnation: Nonce()),
                nonce: Nonce(high: 0, low: 1),
                leaseDuration: .seconds(10),
                timeout: .seconds(1)
            )
        )
    }

    private static let operations: [FaultRule.Operation] = [.writeNotes, .removeNotes, .readNotes, .transfer]

    @Test("each operation is struck by rules of its own, and by no others", arguments: operations)
    func ownRules(_ operation: FaultRule.Operation) async throws {
        prepare()
        let faulty = provider([
            FaultRule(.dropAfterApplying, on: [operation]), FaultRule(.error(Boom())),
            FaultRule(.error(Boom()), on: Set(Self.operations).subtracting([operation])),
        ])
        #expect(try await !call(operation, faulty))
        #expect(faulty.faultCounts == [1, 0, 0])
        #expect(faulty.injectedFaults.map(\.operation) == [operation])
    }

    @Test("what is dropped before it is applied leaves no trace, what is dropped afterwards does")
    func drops() async throws {
        prepare()
        let before = provider([FaultRule(.dropBeforeApplying, on: [.writeNotes, .transfer])])
        #expect(try await !call(.writeNotes, before))
        #expect(try await !call(.transfer, before))
        #expect(store.notes(of: group).isEmpty)
        #expect(store.records[group]?.lease?.nonce == Nonce(high: 0, low: 1))
        let after = provider([FaultRule(.dropAfterApplying, on: [.writeNotes, .removeNotes, .transfer])])
        #expect(try await !call(.writeNotes, after))
        #expect(store.notes(of: group) == [GroupNote(key: "a", text: "a")])
        #expect(try await !call(.removeNotes, after))
        #expect(store.notes(of: group).isEmpty)
        #expect(try await !call(.transfer, after))
        #expect(store.records[group]?.lease?.nonce == Nonce(high: 0, low: 2))
    }

    @Test("an error, a delay and a hang meet each operation", arguments: operations)
    func troubles(_ operation: FaultRule.Operation) async throws {
        prepare()
        let faulty = provider([FaultRule(.error(Boom()), on: [operation])])
        await #expect(throws: Boom.self) { try await call(operation, faulty) }
        faulty.replaceRules([FaultRule(.hang, on: [operation]), FaultRule(.delay(.seconds(3)), on: [operation])])
        let due = clock.now.advanced(by: .seconds(3))
        async let isKnown = call(operation, faulty)
        try await clock.waitForTimer(at: due)
        clock.advance(to: due)
        try await faulty.waitForSuspendedCalls(1)
        faulty.releaseHung()
        #expect(try await isKnown)
    }

    @Test("what is not allowed in a note is refused before any rule is asked")
    func validation() async {
        let faulty = provider([FaultRule(.hang, on: [.writeNotes, .removeNotes])])
        let error = await #expect(throws: ElectionError.self) { _ = try await faulty.write([note(), note("a b")]) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == "the key of a note is \"a b\"; use 1 to 64 ASCII letters, digits and -")
        #expect(faulty.faultCounts == [0])
    }

    @Test("a wrapped provider without the abilities is told apart from one that fails")
    func withoutAbilities() async throws {
        let faulty = FaultyProvider(wrapping: VerbsOnly(), clock: clock)
        guard case .unknown(let error as ElectionError)? = try await faulty.notes(of: [group]).first,
            case .unknown? = try await faulty.write([note()]).first, error.code == .storeUnsuitable
        else {
            Issue.record("notes were found or written where none are kept")
            return
        }
        #expect(try await !call(.transfer, faulty))
    }
}

/// The four verbs and nothing else.
private final class VerbsOnly: ElectionProvider {
    private let wrapped = InMemoryElectionProvider(store: InMemoryElectionStore())

    var guarantees: ProviderGuarantees { wrapped.guarantees }
    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] { try await wrapped.acquire(requests) }
    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] { try await wrapped.renew(requests) }
    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] { try await wrapped.release(requests) }
    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] { try await wrapped.holders(of: groups) }
}
