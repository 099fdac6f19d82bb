// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct HintSpreadTests {
    @Test func fewListenersAllGoAtOnce() {
        var random = SeededGenerator(seed: 1)
        for listeners in 0...HintSpread.unspread {
            #expect(HintSpread.delay(afterRelease: listeners, using: &random) == .zero)
            #expect(HintSpread.delay(afterGrant: listeners, using: &random) == .zero)
        }
    }

    @Test(arguments: [20, 100, 1000, 100_000]) func ofManyAFewGoAtOnceAndTheRestSoonAfter(listeners: Int) {
        var random = SeededGenerator(seed: 2)
        let delays = (0..<20_000).map { _ in HintSpread.delay(afterRelease: listeners, using: &random) }
        let atOnce = delays.count { $0 == .zero }
        // Three of all listeners on average; the sample is large enough for a factor of two either way, but not for
        // the largest crowd, of which hardly any is in it.
        if listeners <= 1000 {
            #expect(Double(atOnce) > 20_000 * 1.5 / Double(listeners))
        }
        #expect(Double(atOnce) < 20_000 * 6 / Double(listeners) + 10)
        #expect(delays.allSatisfy { $0 == .zero || ($0 >= .milliseconds(2) && $0 < .milliseconds(252)) })
        let looks = (0..<1000).map { _ in HintSpread.delay(afterGrant: listeners, using: &random) }
        #expect(looks.allSatisfy { $0 >= .zero && $0 < .milliseconds(250) })
        #expect(Set(looks).count > 900)
    }

    @Test func whoDrewABlankAsksSoonAfterAndOnce() async throws {
        let harness = ServiceHarness()
        let crowd = CrowdedProvider(harness.store)
        let leader = try harness.service("leader")
        let running = Task { try await leader.run() }
        _ = try await leader.waitForLeadership()
        let follower = try ElectionService(
            "group",
            provider: crowd,
            configuration: ElectionConfiguration(candidate: "follower"),
            clock: harness.clock,
            random: AlwaysLargest(),
            audit: nil
        )
        try await harness.during(follower) { follower in
            _ = try await follower.waitForLeader()
            let released = harness.clock.now
            leader.stop()
            try await running.value
            try await harness.clock.waitForTimer(in: released + .milliseconds(2)...released + .milliseconds(252))
            #expect(!follower.isLeader)
            harness.clock.advance(by: .milliseconds(252))
            _ = try await follower.waitForLeadership()
        }
    }
}

/// A store that a thousand processes listen to.
private final class CrowdedProvider: PushingProvider {
    private let provider: InMemoryElectionProvider
    private let store: InMemoryElectionStore

    init(_ store: InMemoryElectionStore) {
        self.store = store
        provider = InMemoryElectionProvider(store: store)
    }

    var guarantees: ProviderGuarantees { provider.guarantees }
    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] { try await provider.acquire(requests) }
    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] { try await provider.renew(requests) }
    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] { try await provider.release(requests) }
    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] { try await provider.holders(of: groups) }

    func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        provider.hints { [store] hint in
            guard let group = hint.group else { return receive(hint) }
            if case .free = store.holder(of: group) {
                receive(.freed(group, listeners: 1000))
            } else {
                receive(.taken(group, listeners: 1000))
            }
        }
    }
}

/// Draws the last of every range: always a blank.
private struct AlwaysLargest: RandomNumberGenerator {
    mutating func next() -> UInt64 { .max }
}
