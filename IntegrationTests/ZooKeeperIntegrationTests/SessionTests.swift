// SPDX-License-Identifier: MIT
#if ZooKeeper
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .serialized, .timeLimit(.minutes(2)))
struct SessionTests {
    private let ensemble = Ensemble(.zookeeper)

    private func proxied() throws -> (FaultProxy, ZooKeeperElectionProvider) {
        let address = try #require(NetworkAddress.all(in: Backend.zookeeper.url).first)
        let proxy = try FaultProxy(to: address.port)
        let settings = try ZooKeeperSettings(
            servers: "127.0.0.1:\(proxy.port)",
            root: ensemble.root,
            tickTime: .milliseconds(200)
        )
        return (proxy, ZooKeeperElectionProvider(settings))
    }

    @Test
    func anExpiredSessionLosesEverythingAndANewOneIsBegun() async throws {
        let provider = try ensemble.provider()
        let hints = Hints(provider)
        let askers = try (0..<3).map { try Asker(provider, "group \($0)") }
        var terms: [Int64] = []
        for asker in askers { terms.append(try await asker.termSoon()) }
        let session = await provider.store.session?.id
        // Both fight for the session, so that one attempt may fail. A heartbeat is due in five seconds only: that nodes are
        // gone is enough to find out.
        try await soon("the end of the session", within: .seconds(4)) {
            try await provider.store.killSession()
            return await provider.store.session?.id != session
        }
        for (asker, term) in zip(askers, terms) {
            try await soon("the loss") { if case .lost = try await asker.renew(term) { true } else { false } }
        }
        #expect(hints.all.contains(.resync))
        // Nothing of the old session is taken for ours: new nodes, new terms.
        for (asker, term) in zip(askers, terms) { #expect(try await asker.termSoon() > term) }
        #expect(await provider.store.session?.id != session)
    }

    @Test
    func aConnectionThatIsResetKeepsItsLeases() async throws {
        let (proxy, provider) = try proxied()
        defer { proxy.close() }
        let hints = Hints(provider)
        let leader = try Asker(provider, "group 1")
        let term = try await leader.termSoon()
        let other = try Asker(try ensemble.provider(), "group 2", "other")
        let otherTerm = try await other.termSoon()
        let waiting = try Asker(provider, "group 2", "waiting")
        #expect(try await waiting.holder() == "other")
        for _ in 0..<3 {
            hints.forget()
            proxy.resetAll()
            try await soon("the connection") { hints.all.contains(.resync) }
            try await soon("the renewal") { if case .renewed = try await leader.renew(term) { true } else { false } }
        }
        // The watch still works, or was made anew.
        #expect(try await waiting.holder() == "other")
        hints.forget()
        _ = try await other.release(otherTerm)
        try await soon("the hint") { !hints.all.isEmpty }
        #expect(try await waiting.termSoon() > otherTerm)
    }

    @Test
    func aReplyThatIsLostDoesNotMakeASecondPlace() async throws {
        let (proxy, provider) = try proxied()
        defer { proxy.close() }
        let first = try Asker(provider, "first")
        try await first.termSoon()
        // The candidate's node is made, and nobody hears of it.
        proxy.add(FaultRule(.drop, .replies, whenRequestContains: "__lock__"))
        let asker = try Asker(provider, "group", "lost", timeout: .milliseconds(300))
        #expect(try await asker.error() != nil)
        proxy.clear()
        proxy.resetAll()
        let term = try await asker.termSoon()
        let client = try await RawClient(ensemble.servers)
        #expect(try await client.children("\(ensemble.root)/group").count == 1)
        guard case .released = try await asker.release(term) else { throw NotInTime(what: "the release") }
        #expect(try await client.children("\(ensemble.root)/group").isEmpty)
    }

    @Test
    func aReplyThatIsLostAndWantedByNobodyLeavesNoPlace() async throws {
        let (proxy, provider) = try proxied()
        defer { proxy.close() }
        let first = try Asker(provider, "first")
        try await first.termSoon()
        proxy.add(FaultRule(.drop, .replies, whenRequestContains: "__lock__"))
        let asker = try Asker(provider, "group", "lost", timeout: .milliseconds(300))
        #expect(try await asker.error() != nil)
        proxy.clear()
        proxy.resetAll()
        try await soon("an answer to the release") {
            if case .unknown = try await asker.release() { false } else { true }
        }
        let client = try await RawClient(ensemble.servers)
        try await soon("the end of the node") { try await client.children("\(ensemble.root)/group").isEmpty }
        try await Asker(try ensemble.provider(), "group", "other").termSoon()
    }

    @Test(arguments: [true, false])
    func aSessionThatServersHearAndThatDoesNotHearThemStandsInNobodysWay(wasLeading: Bool) async throws {
        let (proxy, provider) = try proxied()
        defer { proxy.close() }
        let first = try Asker(try ensemble.provider(), "group", "first", lease: .seconds(2))
        let deaf = try Asker(provider, "group", "deaf", lease: .seconds(2))
        let firstTerm = try await first.termSoon()
        #expect(try await deaf.holder() == "first")
        let next = try Asker(try ensemble.provider(), "group", "next", lease: .seconds(2))
        #expect(try await next.holder() == "first")
        if wasLeading {
            _ = try await first.release(firstTerm)
            try await deaf.termSoon()
        }
        proxy.add(FaultRule(.drop, .replies))
        if !wasLeading { _ = try await first.release(firstTerm) }
        // It would go on for as long as the proxy does: each attempt to go on with the session is one that servers hear.
        let end = ContinuousClock.now + .seconds(12)
        while try await next.term() == nil {
            _ = try? await deaf.ask()
            try #require(ContinuousClock.now < end, "nobody leads")
            try await Task.sleep(for: .milliseconds(50))
        }
        proxy.clear()
        proxy.resetAll()
        try await soon("an answer") { try await deaf.holder() == "next" }
    }

    @Test
    func aSilentPeerEndsNoLeaseEarlyAndNoneLate() async throws {
        let (proxy, provider) = try proxied()
        defer { proxy.close() }
        let leader = try Asker(provider, "group", "cut off", lease: .seconds(3))
        let term = try await leader.termSoon()
        let other = try Asker(try ensemble.provider(), "group", "other", lease: .seconds(3))
        #expect(try await other.holder() == "cut off")
        // Renewed as an engine would; the deadline that it reckons is known to us.
        var deadline = ElectionInstant.distantPast
        var configuration = ElectionConfiguration()
        configuration.leaseDuration = .seconds(3)
        let timing = try LeaseTiming(configuration)
        proxy.hold()
        try await soon("the other one's turn") {
            let sent = ElectionInstant.now
            if case .renewed(let lease) = try await leader.renew(term, timeout: .milliseconds(200)) {
                deadline = sent + timing.validity(ofLease: lease)
            }
            return try await other.term() != nil
        }
        #expect(ElectionInstant.now > deadline)
    }

    @Test
    func handlesThatAreReplacedLeaveNothingBehind() async throws {
        func threads() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0 }
        func sockets() -> Int {
            let port = NetworkAddress.all(in: Backend.zookeeper.url).first?.port ?? 0
            return NetworkAddress.connections(to: port)
        }
        let provider = try ensemble.provider()
        let asker = try Asker(provider)
        try await asker.termSoon()
        let (threadsBefore, socketsBefore) = (threads(), sockets())
        for round in 0..<100 {
            let old = await provider.store.session?.id
            await provider.store.dropSession(cause: nil, mustClose: true)
            try await asker.termSoon()
            #expect(await provider.store.session?.id != old, "round \(round)")
        }
        try await soon("the end of the old threads") { threads() <= threadsBefore + 4 }
        try await soon("the end of the old connections") { sockets() <= socketsBefore + 1 }
        #expect(await provider.store.remains <= 2)
    }

    @Test
    func providersThatAreLetGoLeaveNothingBehind() async throws {
        let before = ZooKeeperInbox.openSessions
        for _ in 0..<10 {
            let asker = try Asker(try ensemble.provider())
            try await asker.termSoon()
        }
        try await soon("the end of the sessions") { ZooKeeperInbox.openSessions <= before }
    }
}

extension ZooKeeperStore {
    /// Ends the session as an operator could: by a second client that has its number and password.
    func killSession() throws {
        try session?.handle.killSession(servers: settings.servers)
    }
}

extension NetworkAddress {
    /// How many connections of this process there are to a port of this machine.
    fileprivate static func connections(to port: UInt16) -> Int {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        let own = Set(
            descriptors.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
        )
        let table = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)) ?? ""
        let suffix = ":" + String(port, radix: 16, uppercase: true)
        return table.split(separator: "\n").dropFirst().count { line in
            let fields = line.split(separator: " ")
            return fields.count > 9 && fields[2].hasSuffix(suffix) && own.contains("socket:[\(fields[9])]")
        }
    }
}
#endif
