// SPDX-License-Identifier: MIT

import LeaderElectionTesting
import Testing

@testable import LeaderElection

@Suite("Places in the store's queue", .timeLimit(.minutes(2)))
struct QueuePositionTests {
    /// A store in memory whose queue is as a test says.
    private final class Provider: NoteKeepingProvider, QueueingProvider {
        private let base = InMemoryElectionProvider(store: InMemoryElectionStore())
        private let queue: @Sendable () throws -> [Nonce?]

        init(_ queue: @escaping @Sendable () throws -> [Nonce?]) { self.queue = queue }

        var guarantees: ProviderGuarantees { base.guarantees }
        func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] { try await base.acquire(requests) }
        func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] { try await base.renew(requests) }
        func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] { try await base.release(requests) }
        func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] { try await base.holders(of: groups) }
        func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] { try await base.write(requests) }
        func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] { try await base.remove(requests) }
        func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] { try await base.notes(of: groups) }
        func queues(of groups: [ElectionGroup]) async throws -> [QueueAnswer] {
            let queue = try queue()
            return groups.map { _ in .found(queue) }
        }
    }

    private let first = Nonce()
    private let second = Nonce()
    private let gone = Nonce()
    private let group: ElectionGroup

    init() throws { group = try ElectionGroup("jobs") }

    /// The candidates `a`, `b`, and `c`, who has no place in the queue any more.
    private func provider(_ queue: @escaping @Sendable () throws -> [Nonce?]) async throws -> Provider {
        let provider = Provider(queue)
        for (number, (id, nonce)) in [("a", first), ("b", second), ("c", gone)].enumerated() {
            let listed = ListedCandidate(
                candidate: Candidate(id: id, incarnation: Nonce(), metadata: [:]),
                priority: 0,
                isEligible: true,
                health: nil,
                waitingSince: Int64(number),
                nonce: nonce
            )
            let note = NoteRequest(
                group: group,
                key: listed.key,
                text: listed.text,
                lifetime: .seconds(3600),
                isNews: false,
                timeout: .seconds(5)
            )
            _ = try await provider.write([note])
        }
        return provider
    }

    @Test("whoever leads comes first, and strangers count")
    func positions() async throws {
        let (first, second) = (first, second)
        let provider = try await provider { [Nonce(), second, nil, first] as [Nonce?] }
        let listed = try await provider.candidates(in: group)
        #expect(listed.map(\.candidate.id) == ["a", "b", "c"])
        #expect(listed.map(\.position) == [3, 1, nil])
        let service = try ElectionService("jobs", provider: provider)
        #expect(try await service.candidates() == listed)
    }

    @Test("a queue that cannot be read hides nobody")
    func unreadable() async throws {
        let provider = try await provider { throw ElectionError(.storeUnavailable, "away") }
        let listed = try await provider.candidates(in: group)
        #expect(listed.map(\.candidate.id) == ["a", "b", "c"])
        #expect(listed.allSatisfy { $0.position == nil })
        #expect(try await ElectionService("jobs", provider: provider).candidates() == listed)
    }
}
