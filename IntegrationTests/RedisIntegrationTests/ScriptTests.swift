// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

/// The rules of the scripts that no provider can be asked for, with clocks as if they had been set.
@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(1)))
struct ScriptTests {
    private let prefix = "script-\(Nonce())"
    private var lease: String { prefix + ":lease:g" }
    private var authority: String { prefix + ":authority" }

    private func node(_ server: OwnRedis) async throws -> any RedisNode {
        try await RedisTopologies.make(server.settings()).node(forKey: lease)
    }

    /// Acquires with one nonce of plain text; what it answers for the lease.
    private func acquire(
        _ server: OwnRedis,
        nonce: String,
        limit: String = "",
        observed: (term: String, sequence: String) = ("", ""),
        mode: String = "",
        proposal: String = ""
    ) async throws -> [RedisValue] {
        let words =
            [
                limit, "PUBLISH", prefix + ":changes", "sender", "\((prefix + ":lease:").utf8.count)", "3000", "0",
                "off", "0", mode, "0",
            ]
            + [nonce, "", observed.term, observed.sequence, "3000", "holder", "incarnation", "{}", proposal]
        let values = try await node(server).run(
            LeaseScripts.acquire,
            keys: [authority, lease],
            arguments: words.map { Array($0.utf8) },
            timeout: .seconds(2)
        )
        return Array(try #require(values.first?.array).dropFirst(4))
    }

    private func renew(_ server: OwnRedis, nonce: String, term: String, limit: String = "") async throws -> RedisValue {
        let values = try await node(server).run(
            LeaseScripts.renew,
            keys: [authority, lease],
            arguments: [limit, "", nonce, term, "3000"].map { Array($0.utf8) },
            timeout: .seconds(2)
        )
        return try #require(values.first?.array?.last)
    }

    private func set(_ server: OwnRedis, _ field: String, _ value: String) async throws {
        try await server.cli("hset", lease, field, value)
    }

    private func get(_ server: OwnRedis, _ field: String) async throws -> String {
        try await server.cli("hget", lease, field)
    }

    @Test func termsAreAtLeastTheTimeAndAlwaysOneMore() async throws {
        let server = try await SharedRedis.server()
        let first = try await acquire(server, nonce: "a")
        #expect(first.count == 2 && first[0] == .integer(1))
        let term = try #require(first[1].integer)
        #expect(term > 1_700_000_000_000 && term < 1 << 52)
        #expect(try await get(server, "term") == "\(term)")
        // A term from the future, as after a clock that was ahead.
        try await server.cli("hdel", lease, "nonce")
        try await set(server, "term", "\((1 << 53) - 3)")
        #expect(try await acquire(server, nonce: "b") == [.integer(1), .integer((1 << 53) - 2)])
        #expect(try await get(server, "term") == "\((1 << 53) - 2)")
        try await server.cli("hdel", lease, "nonce")
        #expect(try await acquire(server, nonce: "c") == [.integer(1), .integer((1 << 53) - 1)])
        try await server.cli("hdel", lease, "nonce")
        #expect(try await acquire(server, nonce: "d").first == .integer(3))
    }

    @Test(arguments: ["0.5", "-1", "1e400", "text", "", "9007199254740992"])
    func termsThatNoElectionWritesAreRefused(term: String) async throws {
        let server = try await SharedRedis.server()
        try await set(server, "term", term)
        #expect(try await acquire(server, nonce: "a").first == .integer(3))
        #expect(try await get(server, "term") == term)
    }

    @Test func aKeyOfAnotherKindIsRefusedAndLeftAlone() async throws {
        let server = try await SharedRedis.server()
        try await server.cli("set", lease, "mine")
        #expect(try await acquire(server, nonce: "a").first == .integer(3))
        #expect(try await renew(server, nonce: "a", term: "1") != .integer(1))
        #expect(try await server.cli("get", lease) == "mine")
    }

    @Test func aDeadlineEndsALeaseOnlyByAClockThatIsBelieved() async throws {
        let server = try await SharedRedis.server()
        let term = try #require(try await acquire(server, nonce: "a")[1].integer)
        let ended = "\(term - 10_000)"
        try await set(server, "deadline_ms", ended)
        // The caller believes nothing after its limit: held, and to be watched.
        let held = try await acquire(server, nonce: "b", limit: "0")
        #expect(held[0] == .integer(2) && held[4] == .integer(-1))
        // For the holder it is not over either.
        #expect(try await renew(server, nonce: "a", term: "\(term)", limit: "0") == .integer(1))
        try await set(server, "deadline_ms", ended)
        #expect(try await renew(server, nonce: "a", term: "\(term)") == .integer(0))
        let next = try await acquire(server, nonce: "b", limit: "\(term + 3_600_000)")
        #expect(next[0] == .integer(1) && next[1].integer ?? 0 > term)
    }

    @Test func aClockThatWasSetBackIsNotWaitedFor() async throws {
        let server = try await SharedRedis.server()
        let term = try #require(try await acquire(server, nonce: "a")[1].integer)
        try await set(server, "deadline_ms", "\(term + 3_600_000)")
        let held = try await acquire(server, nonce: "b")
        #expect(held[0] == .integer(2) && held[4] == .integer(-1))
        #expect(try await acquire(server, nonce: "b", observed: ("\(term)", "1")).first == .integer(2))
        #expect(try await acquire(server, nonce: "b", observed: ("\(term)", "0")).first == .integer(1))
    }

    @Test func aProposalMustBeLargerAndMeetsOnlyItsOwn() async throws {
        let server = try await SharedRedis.server()
        #expect(try await acquire(server, nonce: "a", proposal: "0") == [.integer(6), .integer(0)])
        #expect(try await acquire(server, nonce: "a", proposal: "10") == [.integer(1), .integer(10)])
        #expect(try await acquire(server, nonce: "a", proposal: "10") == [.integer(1), .integer(10)])
        #expect(try await acquire(server, nonce: "a", proposal: "9") == [.integer(1), .integer(10)])
        #expect(try await acquire(server, nonce: "a", proposal: "12") == [.integer(1), .integer(12)])
        #expect(try await acquire(server, nonce: "b", proposal: "99").first == .integer(2))
        try await server.cli("hdel", lease, "nonce")
        #expect(try await acquire(server, nonce: "b", proposal: "12") == [.integer(6), .integer(12)])
    }

    @Test func healingNeverTakesFromAnotherNorGoesBack() async throws {
        let server = try await SharedRedis.server()
        #expect(try await acquire(server, nonce: "a", mode: "heal", proposal: "10") == [.integer(1), .integer(10)])
        #expect(try await acquire(server, nonce: "b", mode: "heal", proposal: "11").first == .integer(2))
        try await server.cli("hdel", lease, "nonce")
        #expect(try await acquire(server, nonce: "b", mode: "heal", proposal: "10") == [.integer(6), .integer(10)])
        #expect(try await get(server, "nonce") == "")
    }

    @Test func whatIsUnderstoodInABatchDoesNotSufferFromTheRest() async throws {
        let server = try await SharedRedis.server()
        let options = RedisProviderOptions(prefix: prefix)
        try await server.cli("set", prefix + ":lease:bad", "text")
        let provider = try server.provider(options)
        let candidate = Candidate(id: "c", incarnation: Nonce())
        let requests = try ["one", "bad", "two"].map { name in
            AcquireRequest(
                group: try ElectionGroup(name),
                candidate: candidate,
                nonce: Nonce(),
                leaseDuration: .seconds(2),
                timeout: .seconds(5)
            )
        }
        let answers = try await provider.acquire(requests)
        guard answers.count == 3, case .granted = answers[0], case .unknown = answers[1], case .granted = answers[2]
        else {
            Issue.record("the answers are \(answers)")
            return
        }
    }
}
#endif
