// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

/// First places in many groups at once.
@Suite(.needs(.zookeeper), .timeLimit(.minutes(2)))
struct EntryTests {
    private let ensemble = Ensemble(.zookeeper)

    private func requests(
        _ provider: ZooKeeperElectionProvider,
        _ groups: Range<Int>,
        _ id: String = "candidate"
    ) throws -> [AcquireRequest] {
        try groups.map { try Asker(provider, "group \($0)", id).request }
    }

    /// The terms of those that were granted.
    private func terms(_ answers: [AcquireAnswer]) -> [Int64] {
        answers.compactMap { if case .granted(let term, _) = $0 { term } else { nil } }
    }

    private func release(_ provider: ZooKeeperElectionProvider, _ requests: [AcquireRequest]) async throws {
        let releases = requests.map {
            ReleaseRequest(group: $0.group, nonce: $0.nonce, term: nil, timeout: .seconds(5))
        }
        for answer in try await provider.release(releases) {
            if case .unknown(let error) = answer { throw error }
        }
    }

    @Test
    func manyNewGroupsCostFewRequestsAndTheirTermsAreThoseOfTheirNodes() async throws {
        let provider = try ensemble.provider()
        try await Asker(provider, "the first").termSoon()
        let requests = try requests(provider, 0..<200)
        let before = await provider.store.sentCount
        let terms = terms(try await provider.acquire(requests))
        try #require(terms.count == 200)
        try await soon("the watches") { await provider.store.outstanding == 0 }
        // Two or three to make the nodes, one watch each, and a heartbeat now and then.
        let sent = await provider.store.sentCount - before
        #expect(sent <= 210, "\(sent) requests were sent")
        let client = try await RawClient(ensemble.servers)
        let session = await provider.store.session?.id
        for (request, term) in zip(requests, terms) {
            let node = try #require(await provider.store.leadingNode(of: request.group, term: term))
            let stat = try await client.stat(node)
            #expect(stat?.czxid == term && stat?.ephemeralOwner == session)
        }
    }

    @Test
    func groupsThatAreThereAreLedWithLargerTerms() async throws {
        let (first, second) = (try ensemble.provider(), try ensemble.provider())
        let before = try requests(first, 0..<100)
        let terms = terms(try await first.acquire(before))
        try #require(terms.count == 100)
        let waiting = try requests(second, 0..<100, "second")
        for (answer, term) in zip(try await second.acquire(waiting), terms) {
            guard case .held(let record) = answer else { throw NotInTime(what: "the refusal: \(answer)") }
            #expect(record.term == term && record.holder.id == "candidate")
        }
        try await release(second, waiting)
        try await release(first, before)
        let sent = await second.store.sentCount
        let larger = self.terms(try await second.acquire(try requests(second, 0..<100, "third")))
        #expect(larger.count == 100 && zip(terms, larger).allSatisfy { $0 < $1 })
        try await soon("the watches") { await second.store.outstanding == 0 }
        #expect(await second.store.sentCount - sent <= 210)
    }

    @Test
    func someGroupsMayBeThereAndOthersHeldByOtherClients() async throws {
        let (first, second) = (try ensemble.provider(), try ensemble.provider())
        let client = try await RawClient(ensemble.servers)
        let held = try requests(first, 0..<10)
        let terms = terms(try await first.acquire(held))
        try #require(terms.count == 10)
        let foreign = try await client.createCandidate("\(ensemble.root)/group 3/0123__lock__")
        let empty = try requests(first, 10..<20)
        _ = try await first.acquire(empty)
        try await release(first, Array(held[..<5]) + empty)
        let answers = try await second.acquire(try requests(second, 0..<40, "second"))
        let holders = answers.map { answer -> String? in
            switch answer {
            case .granted: ""
            case .held(let record): record.holder.id
            default: nil
            }
        }
        #expect(holders[3] == foreign.split(separator: "/").last.map(String.init))
        #expect(holders[5..<10].allSatisfy { $0 == "candidate" })
        #expect((Array(holders[..<3]) + [holders[4]] + holders[10...]).allSatisfy { $0 == "" }, "\(holders)")
    }

    @Test
    func twoPlacesInEachOfManyGroupsHaveOneLeader() async throws {
        let provider = try ensemble.provider()
        var pairs: [AcquireRequest] = []
        for index in 0..<20 {
            for name in ["first", "second"] { pairs.append(try Asker(provider, "group \(index)", name).request) }
        }
        // A place of a later call comes behind those of this one.
        async let others = provider.acquire(try requests(provider, 0..<20, "third"))
        let answers = try await provider.acquire(pairs) + others
        var leaders: [String: Int64] = [:]
        for (request, answer) in zip(pairs + (try requests(provider, 0..<20)), answers) {
            guard case .granted(let term, _) = answer else { continue }
            #expect(leaders.updateValue(term, forKey: request.group.name) == nil, "two lead \(request.group)")
        }
        #expect(leaders.count == 20)
        for (request, answer) in zip(pairs + (try requests(provider, 0..<20)), answers) {
            guard case .held(let record) = answer else { continue }
            #expect(record.term == leaders[request.group.name])
        }
    }

    @Test
    func placesThatAreGivenUpWhileTheyAreMadeLeaveNothing() async throws {
        let provider = try ensemble.provider()
        try await Asker(provider, "the first").termSoon()
        for isThere in [false, true] {
            let requests = try requests(provider, 0..<50, "there: \(isThere)")
            async let answers = provider.acquire(requests)
            try await soon("the places") { await provider.store.groupCount == 51 }
            try await release(provider, requests)
            _ = try await answers
            try await soon("the end of all requests") { await provider.store.outstanding == 0 }
            #expect(await provider.store.groupCount == 1)
            let client = try await RawClient(ensemble.servers)
            for request in requests { #expect(try await client.children("\(ensemble.root)/\(request.group)").isEmpty) }
        }
    }

    @Test
    func whatIsDeniedIsToldOfEachGroup() async throws {
        let owner = ZooKeeperCredentials(user: "owner", password: "right-secret")
        // Whoever makes it first may keep all other tests out of it.
        try? await RawClient(ensemble.servers).create("/tests")
        let first = try ensemble.provider(credentials: owner)
        _ = try await first.acquire(try requests(first, 0..<20))
        let client = try await RawClient(ensemble.servers, credentials: owner)
        let nodes = try await client.children("\(ensemble.root)/group 7")
        #expect(nodes.count == 1)
        let stranger = try ensemble.provider()
        for answer in try await stranger.acquire(try requests(stranger, 0..<20, "stranger")) {
            guard case .unknown(let error as ElectionError) = answer else { throw NotInTime(what: "the refusal") }
            #expect(error.code == .storeRefused && error.message.contains(ensemble.root), "\(error)")
        }
        #expect(try await client.children("\(ensemble.root)/group 7") == nodes)
    }

    @Test
    func aReplyThatIsLostMakesNoSecondPlaceInAnyGroup() async throws {
        let address = try #require(NetworkAddress.all(in: Backend.zookeeper.url).first)
        let proxy = try FaultProxy(to: address.port)
        defer { proxy.close() }
        let provider = ZooKeeperElectionProvider(
            try ZooKeeperSettings(
                servers: "127.0.0.1:\(proxy.port)",
                root: ensemble.root,
                tickTime: .milliseconds(200)
            )
        )
        try await Asker(provider, "the first").termSoon()
        let requests = try requests(provider, 0..<20)
        proxy.add(FaultRule(.drop, .replies, whenRequestContains: "__lock__"))
        async let lost = provider.acquire(requests)
        let client = try await RawClient(ensemble.servers)
        try await soon("the nodes") {
            ((try? await client.children("\(ensemble.root)/\(requests[19].group)")) ?? []).count == 1
        }
        proxy.clear()
        proxy.resetAll()
        for answer in try await lost {
            if case .granted = answer { throw NotInTime(what: "the loss of the replies") }
        }
        var terms: [Int64] = []
        try await soon("the grants") {
            terms = self.terms(try await provider.acquire(requests))
            return terms.count == requests.count
        }
        for (request, term) in zip(requests, terms) {
            let path = "\(ensemble.root)/\(request.group)"
            let nodes = try await client.children(path)
            #expect(nodes.count == 1)
            #expect(try await client.stat("\(path)/\(nodes[0])")?.czxid == term)
        }
    }
}
#endif
