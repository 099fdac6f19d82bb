// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .timeLimit(.minutes(1)))
struct TransferTests {
    private let ensemble = Ensemble(.zookeeper)

    private func hand(_ holder: Asker, _ term: Int64, to heir: Asker) async throws -> TransferAnswer {
        let request = TransferRequest(
            group: holder.request.group,
            nonce: holder.request.nonce,
            term: term,
            heir: heir.request.candidate,
            heirNonce: heir.request.nonce,
            leaseDuration: holder.request.leaseDuration,
            timeout: .seconds(5)
        )
        return try #require(try await holder.provider.transfer([request]).first)
    }

    @Test
    func theChosenOneLeadsAndThoseBeforeItStandInLineAnew() async throws {
        let askers = try (0..<5).map { try Asker(try ensemble.provider(), "group", "candidate \($0)") }
        let hints = askers.map { Hints($0.provider) }
        let term = try await askers[0].termSoon()
        for asker in askers.dropFirst() { #expect(try await asker.holder() == "candidate 0") }
        for hint in hints { hint.forget() }
        guard case .transferred(let next?) = try await hand(askers[0], term, to: askers[3]) else {
            throw NotInTime(what: "the transfer")
        }
        #expect(next > term)
        let changed = ProviderHint.changed(askers[0].request.group)
        for index in 1...3 { try await soon("the hint to \(index)") { hints[index].all.contains(changed) } }
        #expect(hints[4].all.isEmpty, "who stands behind the heir need not know")
        // In whatever order they ask.
        for index in [2, 1, 4] { #expect(try await askers[index].holder() == "candidate 3") }
        #expect(try await askers[3].termSoon() == next)
        guard case .lost = try await askers[0].renew(term) else { throw NotInTime(what: "the loss") }
        guard case .renewed = try await askers[3].renew(next) else { throw NotInTime(what: "the renewal") }
        var last = next
        for (leader, following) in [(3, 4), (4, 2), (2, 1)] {
            _ = try await askers[leader].release(last)
            let term = try await askers[following].termSoon()
            #expect(term > last)
            last = term
        }
    }

    @Test
    func nobodyIsMovedPastACandidateOfAnotherClient() async throws {
        let leader = try Asker(try ensemble.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let client = try await RawClient(ensemble.servers)
        // kazoo's names look like ours.
        let stranger = try await client.createCandidate("\(ensemble.root)/group/\(Nonce())__lock__")
        let name = try #require(stranger.split(separator: "/").last)
        let heir = try Asker(try ensemble.provider(), "group", "heir")
        #expect(try await heir.holder() == "leader")
        guard case .refused(let reason) = try await hand(leader, term, to: heir) else {
            throw NotInTime(what: "the refusal")
        }
        #expect(reason.contains(name) && reason.contains("\"heir\""), "\(reason)")
        guard case .renewed = try await leader.renew(term) else { throw NotInTime(what: "the renewal") }
        #expect(try await leader.termSoon() == term)
        #expect(try await heir.holder() == "leader")
        try await client.delete(stranger)
        guard case .transferred = try await hand(leader, term, to: heir) else { throw NotInTime(what: "the transfer") }
        #expect(try await heir.termSoon() > term)
    }

    @Test(.needsOther("kazoo", OtherClient.hasKazoo))
    func aCandidateOfKazooIsNamedAndStaysInLine() async throws {
        let leader = try Asker(try ensemble.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let heir = try Asker(try ensemble.provider(), "group", "heir")
        #expect(try await heir.holder() == "leader")
        let client = try await RawClient(ensemble.servers)
        let kazoo = try OtherClient.kazoo(ensemble.servers, "\(ensemble.root)/group", "snake")
        try await soon("kazoo's place") { try await client.children("\(ensemble.root)/group").count == 3 }
        let last = try Asker(try ensemble.provider(), "group", "last")
        #expect(try await last.holder() == "leader")
        guard case .refused(let reason) = try await hand(leader, term, to: last) else {
            throw NotInTime(what: "the refusal")
        }
        #expect(reason.contains("\"snake\""), "\(reason)")
        // Nobody stands between these two.
        guard case .transferred(let next?) = try await hand(leader, term, to: heir) else {
            throw NotInTime(what: "the transfer")
        }
        #expect(try await heir.termSoon() == next)
        #expect(!kazoo.said("leading"))
        _ = try await heir.release(next)
        try await soon("kazoo's lead") { kazoo.said("leading") }
        kazoo.end()
        #expect(try await last.termSoon() > next)
    }

    @Test
    func whoDoesNotStandInTheQueueCannotBeGivenTheLease() async throws {
        let leader = try Asker(try ensemble.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let heir = try Asker(try ensemble.provider(), "group", "heir")
        guard case .refused = try await hand(leader, term, to: heir) else { throw NotInTime(what: "the refusal") }
        #expect(try await heir.holder() == "leader")
        _ = try await heir.release()
        guard case .refused = try await hand(leader, term, to: heir) else { throw NotInTime(what: "the refusal") }
        guard case .renewed = try await leader.renew(term) else { throw NotInTime(what: "the renewal") }
        // A leader whose node somebody has deleted has nothing to give.
        #expect(try await heir.holder() == "leader")
        let node = try #require(await leader.provider.store.node(of: leader.request))
        let client = try await RawClient(ensemble.servers)
        try await client.delete("\(ensemble.root)/group/\(node)")
        guard case .notHeld = try await hand(leader, term, to: heir) else { throw NotInTime(what: "the refusal") }
    }

    @Test
    func whoWasMovedPastByItsOwnProviderComesAfterTheOthers() async throws {
        let provider = try ensemble.provider()
        let askers = try (0..<4).map { try Asker(provider, "group", "candidate \($0)") }
        let term = try await askers[0].termSoon()
        for asker in askers.dropFirst() { #expect(try await asker.holder() == "candidate 0") }
        guard case .transferred(let next?) = try await hand(askers[0], term, to: askers[2]) else {
            throw NotInTime(what: "the transfer")
        }
        let answers = try await provider.acquire(askers.dropFirst().map(\.request))
        guard case .held = answers[0], case .granted(next, _) = answers[1], case .held = answers[2] else {
            throw NotInTime(what: "the order: \(answers)")
        }
        _ = try await askers[2].release(next)
        let last = try await askers[3].termSoon()
        #expect(last > next)
        _ = try await askers[3].release(last)
        #expect(try await askers[1].termSoon() > last)
        try await soon("the end of all answers") { await provider.store.outstanding == 0 }
    }
}
#endif
