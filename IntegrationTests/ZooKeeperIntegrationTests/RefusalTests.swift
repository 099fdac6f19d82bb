// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .timeLimit(.minutes(1)))
struct RefusalTests {
    private let ensemble = Ensemble(.zookeeper)
    private let owner = ZooKeeperCredentials(user: "owner", password: "right-secret")

    @Test
    func anotherUserMayNotTakePart() async throws {
        // Whoever makes it first may keep all other tests out of it.
        try? await RawClient(ensemble.servers).create("/tests")
        let first = try Asker(try ensemble.provider(credentials: owner))
        let term = try await first.termSoon()
        for credentials in [nil, ZooKeeperCredentials(user: "owner", password: "wrong-secret")] {
            let stranger = try Asker(try ensemble.provider(credentials: credentials))
            let error = try #require(try await stranger.error())
            #expect(error.code == .storeRefused)
            #expect(error.message.contains(ensemble.root))
            #expect(!error.message.contains("secret"))
            #expect(try await stranger.error() == error, "the same cause in the same words")
        }
        let second = try Asker(try ensemble.provider(credentials: owner), "group", "second")
        #expect(try await second.holder() == "candidate")
        _ = try await first.release(term)
        #expect(try await second.termSoon() > term)
    }

    @Test
    func whoMayNotWriteNotesElectsAllTheSame() async throws {
        let client = try await RawClient(ensemble.servers)
        try? await client.create("/tests")
        try await client.create(ensemble.root)
        let administrator = try await RawClient(ensemble.servers, credentials: owner)
        try await administrator.create("\(ensemble.root)/%notes")
        let asker = try Asker(try ensemble.provider())
        let term = try await asker.termSoon()
        let note = NoteRequest(
            group: asker.request.group,
            key: "key",
            text: "text",
            lifetime: .seconds(60),
            isNews: true,
            timeout: .seconds(5)
        )
        for _ in 0..<2 {
            guard case .unknown(let error as ElectionError)? = try await asker.provider.write([note]).first else {
                throw NotInTime(what: "the refusal")
            }
            #expect(error.code == .storeRefused && error.message.contains(ensemble.root), "\(error)")
        }
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
        #expect(await asker.provider.store.ownNotes.isEmpty)
    }

    @Test
    func whoMayOnlyReadSeesWhoLeadsAndIsToldWhatElseWouldBeNeeded() async throws {
        try? await RawClient(ensemble.servers).create("/tests")
        let leader = try Asker(try ensemble.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let (group, heartbeats) = (leader.request.group, "\(ensemble.root)/\(GroupPath.heartbeats)")
        let reader = try ensemble.provider()
        let asker = try Asker(reader, "group", "reader")
        let client = try await RawClient(ensemble.servers)
        for path in [ensemble.root, "\(ensemble.root)/group"] { try await client.letOnlyRead(path) }
        try await client.letOnlyRead(heartbeats)

        guard case .held(let record)? = try await reader.holders(of: [group]).first else {
            throw NotInTime(what: "the leader's record")
        }
        #expect(record.holder.id == "leader" && record.term == term)
        guard case .found(let queue)? = try await reader.queues(of: [group]).first else {
            throw NotInTime(what: "the queue")
        }
        #expect(queue.count == 1)
        guard case .found([])? = try await reader.notes(of: [group]).first else { throw NotInTime(what: "the notes") }
        #expect(await reader.store.session?.heartbeatPath == nil, "nothing was written to read")

        let error = try #require(try await asker.error())
        #expect(error.code == .storeRefused)
        #expect(error.message.contains("create nodes in \(heartbeats)"), "\(error.message)")
        try await client.letOnlyRead(heartbeats, isUndone: true)
        let second = try #require(try await asker.error())
        #expect(second.message.contains("create nodes in \(ensemble.root)/group"), "\(second.message)")
    }

    @Test
    func aRootThatIsMissingIsMadeOnlyIfThatIsWanted() async throws {
        let strict = try Asker(try ensemble.provider(createRoot: false))
        let error = try #require(try await strict.error())
        #expect(error.code == .storeRefused)
        #expect(error.message.contains("createRoot") && error.message.contains(ensemble.root))
        // An operator makes it, and nothing has to be restarted.
        let client = try await RawClient(ensemble.servers)
        try? await client.create("/tests")
        try await client.create(ensemble.root)
        try await strict.termSoon()
    }

    @Test
    func aLeaseThatTheServersDoNotAllowIsRefused() async throws {
        let asker = try Asker(try ensemble.provider(), lease: .seconds(60))
        let error = try #require(try await asker.error())
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains("40") && error.message.contains("60"))
        // Another lease is had from the same provider.
        let shorter = try Asker(asker.provider, lease: .seconds(5))
        try await shorter.termSoon()
    }

    @Test
    func aLeaseThatTheServersProlongIsWarnedOf() async throws {
        let settings = try ensemble.settings(tickTime: .milliseconds(50))
        let provider = ZooKeeperElectionProvider(settings)
        let hints = Hints(provider)
        let asker = try Asker(provider, lease: .milliseconds(200))
        try await asker.termSoon()
        #expect(hints.warnings.map(\.code) == [.storeUnsuitable])
    }

    @Test
    func anEnsembleThatIsNotThereIsNamedAndWaitedFor() async throws {
        let provider = ZooKeeperElectionProvider(
            try ZooKeeperSettings(
                servers: "127.0.0.1:1",
                root: "/x",
                credentials: owner,
                tickTime: .milliseconds(200)
            )
        )
        for _ in 0..<2 {
            let asker = try Asker(provider, timeout: .milliseconds(500))
            let error = try #require(try await asker.error())
            #expect(error.code == .storeUnavailable)
            #expect(error.message.contains("127.0.0.1:1") && !error.message.contains("secret"))
        }
    }

    @Test
    func aNameThatCannotBeLookedUpIsNamed() async throws {
        let provider = ZooKeeperElectionProvider(try ZooKeeperSettings(servers: "nowhere.invalid:2181", root: "/x"))
        let asker = try Asker(provider, lease: .seconds(10), timeout: .seconds(20))
        let error = try #require(try await asker.error())
        #expect(error.code == .storeUnavailable)
        #expect(error.message.contains("nowhere.invalid"))
    }
}
#endif
