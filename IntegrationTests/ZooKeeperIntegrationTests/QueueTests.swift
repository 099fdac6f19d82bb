// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .timeLimit(.minutes(2)))
struct QueueTests {
    private let ensemble = Ensemble(.zookeeper)

    @Test
    func candidatesLeadInTheOrderInWhichTheyCame() async throws {
        var askers: [Asker] = []
        for index in 0..<5 {
            askers.append(try Asker(try ensemble.provider(), "group", "candidate \(index)"))
            let holder = try await askers[index].holder()
            #expect(holder == (index == 0 ? nil : "candidate 0"))
        }
        var last: Int64 = 0
        for (index, asker) in askers.enumerated() {
            // Asking does not change the order, and neither does who asks first.
            for other in askers.dropFirst(index + 1).reversed() {
                #expect(try await other.holder() == "candidate \(index)")
            }
            let term = try await asker.termSoon()
            #expect(term > last)
            last = term
            guard case .released = try await asker.release(term) else { throw NotInTime(what: "the release") }
        }
    }

    @Test
    func aReleaseWakesOnlyTheNextOne() async throws {
        let providers = try (0..<20).map { _ in try ensemble.provider() }
        let hints = providers.map { Hints($0) }
        var askers: [Asker] = []
        for (index, provider) in providers.enumerated() {
            askers.append(try Asker(provider, "group", "candidate \(index)"))
            _ = try await askers[index].ask()
        }
        for index in 0..<19 {
            let term = try await askers[index].termSoon()
            for hint in hints { hint.forget() }
            _ = try await askers[index].release(term)
            try await soon("the hint to the next one") { !hints[index + 1].all.isEmpty }
            _ = try await askers[index + 1].termSoon()
            #expect(hints.enumerated().allSatisfy { $0 == index + 1 || $1.all.isEmpty })
        }
    }

    @Test
    func oneCandidateInTheMiddleThatLeavesWakesNobodyInVain() async throws {
        let providers = try (0..<3).map { _ in try ensemble.provider() }
        let askers = try providers.enumerated().map { try Asker($1, "group", "candidate \($0)") }
        for asker in askers { _ = try await asker.ask() }
        _ = try await askers[1].release()
        // The third one now waits for the first.
        #expect(try await askers[2].holder() == "candidate 0")
        let hints = Hints(providers[2])
        _ = try await askers[0].release()
        try await soon("the hint") { !hints.all.isEmpty }
        _ = try await askers[2].termSoon()
    }

    @Test
    func manyCandidatesOfOneProviderLookOnce() async throws {
        let provider = try ensemble.provider()
        let leader = try Asker(try ensemble.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let requests = try (0..<200).map { try Asker(provider, "group", "candidate \($0)").request }
        for answer in try await provider.acquire(requests) {
            guard case .held(let record) = answer else { throw NotInTime(what: "the refusal") }
            #expect(record.term == term)
        }
        let before = await provider.store.sentCount
        let hints = Hints(provider)
        _ = try await leader.release(term)
        try await soon("the hint") { !hints.all.isEmpty }
        let answers = try await provider.acquire(requests)
        #expect(answers.count { if case .granted = $0 { true } else { false } } == 1)
        #expect(answers.count { if case .held = $0 { true } else { false } } == 199)
        let sent = await provider.store.sentCount - before
        #expect(sent <= 12, "\(sent) requests were sent for one hand-over to one of 200 candidates")
    }

    @Test
    func groupsThatWereGivenUpLeaveNothingBehind() async throws {
        let provider = try ensemble.provider()
        for _ in 0..<3 {
            let askers = try (0..<50).map { try Asker(provider, "group \($0)") }
            for (asker, answer) in zip(askers, try await provider.acquire(askers.map(\.request))) {
                guard case .granted(let term, _) = answer else { throw NotInTime(what: "the grant") }
                _ = try await asker.release(term)
            }
        }
        #expect(await provider.store.remains == 0)
        // The watches on our own nodes went with them.
        try await soon("the end of the watches") { await provider.store.watchCount == 0 }
    }

    @Test
    func aNodeThatSomebodyDeletesEndsItsLeaseAtOnce() async throws {
        let provider = try ensemble.provider()
        let hints = Hints(provider)
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        let node = try #require(await provider.store.node(of: asker.request))
        let client = try await RawClient(ensemble.servers)
        try await client.delete("\(ensemble.root)/group/\(node)")
        try await soon("the hint") { hints.all.contains(.changed(asker.request.group)) }
        guard case .lost = try await asker.renew(term) else { throw NotInTime(what: "the loss") }
        #expect(try await asker.termSoon() > term)
    }

    @Test
    func theGroupsNodeMayVanish() async throws {
        let provider = try ensemble.provider()
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        _ = try await asker.release(term)
        let client = try await RawClient(ensemble.servers)
        try await client.delete("\(ensemble.root)/group")
        #expect(try await asker.termSoon() > term)
    }

    @Test
    func aLeaseThatIsNotRenewedIsGivenUpEvenThoughTheSessionGoesOn() async throws {
        let silent = try Asker(try ensemble.provider(), "group", "silent", lease: .seconds(3))
        let term = try await silent.termSoon()
        let other = try Asker(try ensemble.provider(), "group", "other")
        #expect(try await other.holder() == "silent")
        #expect(try await other.termSoon() > term)
        guard case .lost = try await silent.renew(term) else { throw NotInTime(what: "the loss") }
    }

    @Test
    func aPlaceThatNobodyClaimsHoldsNobodyUp() async throws {
        let leader = try Asker(try ensemble.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let forgotten = try Asker(try ensemble.provider(), "group", "forgotten", lease: .seconds(3))
        #expect(try await forgotten.holder() == "leader")
        let other = try Asker(try ensemble.provider(), "group", "other")
        #expect(try await other.holder() == "leader")
        _ = try await leader.release(term)
        try await other.termSoon()
    }

    @Test
    func candidatesOfAnotherRecipeAreWaitedForAndWarnedOf() async throws {
        let client = try await RawClient(ensemble.servers)
        let curator = try Asker(try ensemble.provider(naming: .curatorLatch), "group", "latch")
        let term = try await curator.termSoon()
        let provider = try ensemble.provider()
        let hints = Hints(provider)
        // A foreign name with nothing in it.
        let stranger = try await client.createCandidate("\(ensemble.root)/group/_c_x-latch-")
        let asker = try Asker(provider, "group", "kazoo")
        #expect(try await asker.holder() == "latch")
        #expect(hints.warnings.count == 1)
        #expect(hints.warnings.first?.code == .storeUnsuitable)
        _ = try await curator.release(term)
        try await soon("the stranger's turn") {
            try await asker.holder() == stranger.split(separator: "/").last.map(String.init)
        }
        try await client.delete(stranger)
        try await asker.termSoon()
        #expect(hints.warnings.count == 1, "once is enough")
    }
}
#endif
