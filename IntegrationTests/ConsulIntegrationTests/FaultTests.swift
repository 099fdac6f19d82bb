// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

/// What happens when the way to the agent, or the agent, is broken.
@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(2)))
struct FaultTests {
    private let agent = Agent(.consul)

    private func proxied(_ mode: ConsulMode) throws -> (FaultProxy, ConsulElectionProvider) {
        let proxy = try FaultProxy(to: NetworkAddress.all(in: agent.url)[0].port)
        return (proxy, try agent.provider(mode, port: proxy.port))
    }

    @Test(arguments: [ConsulMode.session, .cas])
    func aGrantWhoseReplyIsLostIsFoundAgain(mode: ConsulMode) async throws {
        let (proxy, provider) = try proxied(mode)
        defer { proxy.close() }
        try await Asker(provider, "first").termSoon()
        proxy.add(
            FaultRule(.drop, .replies, whenRequestContains: mode == .session ? #""Verb":"lock""# : #""Verb":"cas""#)
        )
        let asker = try Asker(provider, "group", "lost", timeout: .seconds(1))
        let error = try await asker.error()
        #expect(error?.code == .timedOut)
        let entry = try #require(try await agent.entry("group"))
        proxy.clear()
        #expect(try await asker.termSoon() == entry.term)
        #expect(try await asker.term() == entry.term, "once and for all")
    }

    @Test(arguments: [ConsulMode.session, .cas])
    func aRenewalWhoseReplyIsLostProlongsNothing(mode: ConsulMode) async throws {
        let (proxy, provider) = try proxied(mode)
        defer { proxy.close() }
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        proxy.add(FaultRule(.drop, .replies))
        guard case .unknown = try await asker.renew(term, timeout: .seconds(1)) else {
            throw NotInTime(what: "the doubt")
        }
        proxy.clear()
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
        guard case .released = try await asker.release(term) else { throw NotInTime(what: "the release") }
        #expect(try await Asker(try agent.provider(mode), "group", "other").termSoon() > term)
    }

    @Test(arguments: [ConsulMode.session, .cas])
    func aReleaseWhoseReplyIsLostIsDoneOnce(mode: ConsulMode) async throws {
        let (proxy, provider) = try proxied(mode)
        defer { proxy.close() }
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        proxy.add(FaultRule(.drop, .replies))
        let request = ReleaseRequest(
            group: asker.request.group,
            nonce: asker.request.nonce,
            term: term,
            timeout: .seconds(1)
        )
        guard case .unknown? = try await provider.release([request]).first else { throw NotInTime(what: "the doubt") }
        proxy.clear()
        let other = try Asker(try agent.provider(mode), "group", "other")
        let next = try await other.termSoon()
        guard case .notHeld = try await asker.release(term) else { throw NotInTime(what: "the second release") }
        guard case .renewed = try await other.renew(next) else { throw NotInTime(what: "the renewal") }
    }

    @Test
    func anAgentThatDoesNotAnswerIsGivenUpInTimeAndItsConnectionsClosed() async throws {
        let (proxy, provider) = try proxied(.session)
        defer { proxy.close() }
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        proxy.hold()
        let start = ContinuousClock.now
        for _ in 0..<2 {
            guard case .unknown(let error as ElectionError) = try await asker.renew(term, timeout: .milliseconds(200))
            else {
                throw NotInTime(what: "the doubt")
            }
            #expect(error.code == .timedOut)
        }
        #expect(ContinuousClock.now - start < .seconds(2))
        let connections = proxy.counters.connections
        proxy.clear()
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
        #expect(proxy.counters.connections > connections, "a connection that hung is not used again")
    }

    @Test
    func aWatchThatIsCutOffResumes() async throws {
        let (proxy, provider) = try proxied(.session)
        defer { proxy.close() }
        let hints = Hints(provider)
        try await soon("the watch") { provider.store.watch.isCurrent }
        for _ in 0..<3 {
            hints.forget()
            proxy.resetAll()
            try await soon("word of it") { hints.all.contains(.resync) }
        }
        let leader = try Asker(try agent.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let other = try Asker(provider, "group", "other")
        #expect(try await other.holder() == "leader")
        hints.forget()
        _ = try await leader.release(term)
        try await soon("the hint") { hints.all.contains(.freed(other.request.group, listeners: 1)) }
    }

    @Test(arguments: [ConsulMode.session, .cas])
    func whoLosesARaceHearsFromTheWatchWhoWon(mode: ConsulMode) async throws {
        let (proxy, provider) = try proxied(mode)
        defer { proxy.close() }
        let hints = Hints(provider)
        let loser = try Asker(provider, "group", "loser")
        let term = try await loser.termSoon()
        try await soon("the watch") { provider.store.watch.known(to: [loser.request]).isEmpty }
        // It asks for more within milliseconds, and is answered once more; what it asks then is answered late.
        try await Task.sleep(for: .milliseconds(200))
        proxy.add(FaultRule(.hold, .replies, whenRequestContains: "recurse&index="))
        _ = try await loser.release(term)
        let index = try #require(try await agent.entry("group")).modifyIndex
        try await soon("the watch") {
            provider.store.watch.known(to: [loser.request])[loser.request.group]??.modifyIndex == index
        }
        proxy.watch(for: "get-tree")
        let winner = try Asker(try agent.provider(mode), "group", "winner")
        let next = try await winner.termSoon()
        hints.forget()
        guard case .deferred = try await loser.ask() else { throw NotInTime(what: "the refusal") }
        #expect(proxy.occurrences(of: "get-tree") == 0)
        proxy.clear()
        try await soon("the hint") { hints.all.contains(.taken(loser.request.group, listeners: 1)) }
        #expect(try await loser.holder() == "winner")
        #expect(proxy.occurrences(of: "get-tree") == 0)
        // What was told a while ago is read.
        try await soon("a reading") {
            let holder = try await loser.holder()
            #expect(holder == "winner")
            return proxy.occurrences(of: "get-tree") > 0
        }
        guard case .released = try await winner.release(next) else { throw NotInTime(what: "the release") }
    }

    @Test
    func anIndexThatGoesToAndFroIsNotAskedForInALoop() async throws {
        let (proxy, provider) = try proxied(.cas)
        defer { proxy.close() }
        proxy.watch(for: "recurse")
        let answers = [9, 5].map { "HTTP/1.1 200 OK\r\nX-Consul-Index: \($0)\r\nContent-Length: 2\r\n\r\n[]" }
        proxy.add(FaultRule(.garbageInTurn(answers.map { Array($0.utf8) }), .replies))
        let start = ContinuousClock.now
        let hints = Hints(provider)
        try await soon("some of the answers") { proxy.occurrences(of: "recurse") >= 12 }
        // Every other question may come at once: there all begins anew.
        #expect(ContinuousClock.now - start >= .milliseconds(500))
        _ = hints
    }

    @Test
    func nonsenseIsNoAnswer() async throws {
        let (proxy, provider) = try proxied(.session)
        defer { proxy.close() }
        let asker = try Asker(provider, timeout: .seconds(1))
        let term = try await asker.termSoon()
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "SSH-2.0-x\r\n", "HTTP/1.1 302 Found\r\n\r\n",
        ] {
            proxy.add(FaultRule(.garbage(Array(text.utf8)), .replies, limit: 1))
            let other = try Asker(provider, "another", timeout: .seconds(1))
            let error = try await other.error()
            #expect(error != nil, "\(text)")
            proxy.clear()
            proxy.resetAll()
        }
        try await soon("the renewal") { if case .renewed = try await asker.renew(term) { true } else { false } }
    }

    @Test
    func whoseWritesAreNeverAnsweredKeepsNobodyOut() async throws {
        let (proxy, provider) = try proxied(.cas)
        defer { proxy.close() }
        proxy.add(FaultRule(.drop, .replies, whenRequestContains: #""Verb":"cas""#))
        let unheard = try Asker(provider, "group", "unheard", timeout: .milliseconds(300))
        let other = try Asker(try agent.provider(.cas), "group", "other")
        var isFree = false
        for _ in 0..<10 where !isFree {
            #expect(try await unheard.term() == nil)
            isFree = try await other.term() != nil
        }
        #expect(isFree, "each write would be a sign of life of a candidate that never leads")
        proxy.clear()
        #expect(try await unheard.holder() == "other")
    }

    @Test
    func whoIsAskedTooOftenIsLeftAlone() async throws {
        let (proxy, provider) = try proxied(.cas)
        defer { proxy.close() }
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"
        proxy.add(FaultRule(.garbage(Array(answer.utf8)), .replies, limit: 1))
        let start = ContinuousClock.now
        guard case .unknown(let first as ElectionError) = try await asker.renew(term) else {
            throw NotInTime(what: "the refusal")
        }
        #expect(first.code == .storeUnavailable && first.message.contains("limits"), "\(first.message)")
        // Whoever cannot wait so long hears why, at once, and nothing is sent.
        let sent = proxy.counters.requestBytes
        guard case .unknown(let second as ElectionError) = try await asker.renew(term, timeout: .milliseconds(500))
        else { throw NotInTime(what: "the same refusal") }
        #expect(second.message == first.message)
        #expect(proxy.counters.requestBytes == sent)
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
        #expect(ContinuousClock.now - start >= .seconds(2))
    }

    @Test
    func anAgentThatIsNotThereIsNamed() async throws {
        for _ in 0..<2 {
            let asker = try Asker(
                try ConsulElectionProvider("consul://127.0.0.1:1", token: "hush"),
                timeout: .seconds(1)
            )
            let error = try #require(try await asker.error())
            #expect(error.code == .storeUnavailable)
            #expect(error.message.contains("127.0.0.1:1") && !error.message.contains("hush"), "\(error.message)")
            #expect(
                error.message.contains("Connection refused") && !error.message.contains("errno"),
                "\(error.message)"
            )
        }
        let asker = try Asker(try ConsulElectionProvider("consul://nowhere.invalid"), timeout: .seconds(5))
        let error = try #require(try await asker.error())
        #expect(error.message.contains("nowhere.invalid"), "\(error.message)")
    }

    @Test(.needsOwn(.consul))
    func anAgentThatRestartsKeepsLeasesAndOneThatForgotEverythingLosesThem() async throws {
        try await PrivateServer.with(.consul) { server in
            let agent = Agent(url: server.url)
            let provider = try agent.provider()
            let hints = Hints(provider)
            let leader = try Asker(provider, timeout: .seconds(1))
            let term = try await leader.termSoon()
            let short = try Asker(try agent.provider(.cas), "short", timeout: .seconds(1))
            let shortTerm = try await short.termSoon()
            try await server.kill()
            #expect(try await leader.error()?.code == .storeUnavailable)
            hints.forget()
            try await server.start()
            try await soon("the renewal") { if case .renewed = try await leader.renew(term) { true } else { false } }
            try await soon("the watch") { hints.all.contains(.resync) }
            guard case .renewed = try await short.renew(shortTerm) else { throw NotInTime(what: "the renewal") }

            try await server.wipe()
            try await server.start()
            try await soon("the loss") { if case .lost = try await leader.renew(term) { true } else { false } }
            try await soon("the loss") { if case .lost = try await short.renew(shortTerm) { true } else { false } }
            // The index began anew; an engine that saw a larger term refuses this one.
            try await Asker(provider, "group", "next").termSoon()
            try await soon("the watch") { provider.store.watch.isCurrent }
        }
    }
}
#endif
