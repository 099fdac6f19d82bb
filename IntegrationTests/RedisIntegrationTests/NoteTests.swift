// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import LeaderElection
import Testing

@testable import LeaderElectionRedis

/// The hashes of notes: what is in them, for how long, and what happens to those who may not write them.
@Suite(.needsOwnRedis, .ownThread, .timeLimit(.minutes(1)))
struct NoteTests {
    private let options = RedisProviderOptions(prefix: "notes-\(Nonce())")
    private var key: String { options.prefix + ":notes:g" }

    private func fields(_ server: OwnRedis) async throws -> [String] {
        try await server.cli("hkeys", key).split(whereSeparator: \.isNewline).map(String.init).sorted()
    }

    @Test func theServerForgetsAGroupWithItsLastNote() async throws {
        let server = try await SharedRedis.server()
        let notes = Notes(try server.provider(options))
        try await notes.write("a", "text", lifetime: .seconds(60))
        // A shorter one does not take the others with it.
        try await notes.write("b", "text", lifetime: .milliseconds(1))
        #expect(try #require(Int(try await server.cli("pttl", key))) > 50_000)
        #expect(try await eventually { try await notes.all() == ["a: text"] })
        try await notes.write("a", "again", lifetime: .seconds(90))
        #expect(try #require(Int(try await server.cli("pttl", key))) > 80_000)
        try await server.cli("del", key)
        try await notes.write("c", "text", lifetime: .milliseconds(100))
        #expect(try await eventually { try await server.cli("exists", key) == "0" })
    }

    /// Long ago, never, and in the future, as after a clock that was set back.
    @Test(arguments: ["0", nil, "99999999999999"])
    func whatIsOverIsDroppedWhenOthersAreWritten(_ mark: String?) async throws {
        let server = try await SharedRedis.server()
        let notes = Notes(try server.provider(options))
        try await notes.write("c", "text")
        for name in ["a", "b"] { try await notes.write(name, "text", lifetime: .milliseconds(1)) }
        // Looked through a moment ago: what is over stays for now, and is not shown.
        #expect(try await fields(server) == [".", "a", "b", "c"])
        #expect(try await eventually { try await notes.all() == ["c: text"] })
        if let mark { try await server.cli("hset", key, ".", mark) } else { try await server.cli("hdel", key, ".") }
        try await notes.write("d", "text")
        #expect(try await fields(server) == [".", "c", "d"])
    }

    @Test func whatNoElectionWritesCountsAsOver() async throws {
        let server = try await SharedRedis.server()
        let notes = Notes(try server.provider(options))
        try await notes.write("a", "text")
        for (name, value) in [("b", ""), ("c", "text"), ("d", "1e99"), ("e", "-1 text"), ("f", "99999999999999")] {
            try await server.cli("hset", key, name, value)
        }
        #expect(try await notes.all() == ["a: text"])
    }

    @Test func aKeyOfAnotherKindIsLeftAloneAndHarmsNoOtherGroup() async throws {
        let server = try await SharedRedis.server()
        let notes = Notes(try server.provider(options))
        try await server.cli("set", key, "mine")
        let requests = try ["g", "h"].map { try Notes.request($0, "a", "text") }
        let written = try await notes.provider.write(requests)
        let removed = try await notes.provider.remove(
            requests.map { NoteRemoval(group: $0.group, key: "b", timeout: .seconds(2)) }
        )
        for answers in [written, removed] {
            guard case .unknown(let error as ElectionError) = answers[0], case .done = answers[1] else {
                Issue.record("\(answers)")
                return
            }
            #expect(error.code == .storeCorrupted && error.group == "g")
        }
        let read = try await notes.provider.notes(of: requests.map(\.group))
        guard case .unknown = read[0], case .found([GroupNote(key: "a", text: "text")]) = read[1] else {
            Issue.record("\(read)")
            return
        }
        #expect(try await server.cli("get", key) == "mine")
        _ = try await Claimant(notes.provider).term("g")
    }

    @Test(arguments: ["hgetall", "pexpire", "pttl"])
    func withoutAPermissionForNotesElectionsGoOn(_ command: String) async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "user limited on >secret ~* &* +@all -\(command)",
        ])
        var settings = server.settings()
        (settings.username, settings.password) = ("limited", "secret")
        let limited = RedisProviderOptions(prefix: options.prefix, isQuarantineOn: false)
        let notes = Notes(try RedisElectionProvider(settings, options: limited))
        let claimant = Claimant(notes.provider, lease: .seconds(20))
        let nonce = Nonce()
        let term = try await claimant.term("g", nonce: nonce)
        let error = try #require(await notes.refusal())
        #expect(error.code == .storeRefused)
        #expect(error.message.contains("+hgetall +pexpire +pttl"))
        #expect(!error.message.contains("secret"))
        // Nothing stays that nobody would forget.
        #expect(try await server.cli("exists", key) == "0")
        guard case .renewed = try await claimant.renew("g", nonce, term) else {
            Issue.record("the lease was held")
            return
        }
    }

    @Test func withoutTheRightToPublishNotesAreKept() async throws {
        let server = try await OwnRedis([
            "save \"\"", "appendonly no", "user limited on >secret ~* &* +@all -publish",
        ])
        var settings = server.settings()
        (settings.username, settings.password) = ("limited", "secret")
        let notes = Notes(try RedisElectionProvider(settings, options: options))
        try await notes.write("a", "text")
        #expect(try await notes.all() == ["a: text"])
    }

    @Test func theNamedPermissionsSuffice() async throws {
        let commands = "+eval +evalsha +hmget +hset +hdel +exists +time +info +publish +subscribe +pubsub"
        let server = try await OwnRedis([
            "save \"\"", "appendonly no",
            "user limited on >secret ~\(options.prefix):* &\(options.prefix)* -@all \(commands) +hgetall +pexpire +pttl",
        ])
        var settings = server.settings()
        (settings.username, settings.password) = ("limited", "secret")
        let limited = RedisProviderOptions(prefix: options.prefix, isQuarantineOn: false)
        let provider = try RedisElectionProvider(settings, options: limited)
        let notes = Notes(provider)
        for round in 0..<2 { try await notes.write("a", "text \(round)") }
        try await notes.remove("b")
        #expect(try await notes.all() == ["a: text 1"])
        let (holder, heir) = (Claimant(provider), Claimant(provider))
        let (nonce, heirNonce) = (Nonce(), Nonce())
        let term = try await holder.term("g", nonce: nonce)
        #expect(try await holder.transfer("g", nonce, term, to: heir, heirNonce).term ?? 0 > term)
    }

    @Test func aThousandNotesAreWrittenAndReadIn4RoundTripsEach() async throws {
        let server = try await SharedRedis.server()
        let provider = try server.provider(options)
        let requests = try (0..<1024).map { try Notes.request("group \($0)", "a", "text", isNews: false) }
        let answers = try await provider.write(requests)
        #expect(answers.allSatisfy { if case .done = $0 { true } else { false } })
        #expect(provider.roundTrips == 4)
        let found = try await provider.notes(of: requests.map(\.group))
        #expect(found.allSatisfy { if case .found(let notes) = $0 { notes.count == 1 } else { false } })
        #expect(provider.roundTrips == 8)
    }

    @Test func aNoteOfOurOwnIsNewsToUsAsWell() async throws {
        let server = try await SharedRedis.server()
        let (own, foreign) = (HintLog(), HintLog())
        let notes = Notes(try server.provider(options))
        let other = try server.provider(options)
        let subscriptions = [notes.provider.hints { own.receive($0) }, other.hints { foreign.receive($0) }]
        defer { for subscription in subscriptions { subscription.cancel() } }
        #expect(try await eventually { own.resyncs == 1 && foreign.resyncs == 1 })
        let group = try ElectionGroup("g")
        try await notes.write("a", "text", isNews: false)
        try await notes.write("a", "text")
        #expect(try await eventually { own.hints.contains(.noted(group)) && foreign.hints.contains(.noted(group)) })
        #expect(foreign.hints.filter { $0.group == group } == [.noted(group)])
    }
}

/// Notes of one provider, in short words.
struct Notes {
    let provider: RedisElectionProvider

    init(_ provider: RedisElectionProvider) { self.provider = provider }

    static func request(
        _ group: String,
        _ key: String,
        _ text: String,
        lifetime: Duration = .seconds(60),
        isNews: Bool = true
    ) throws -> NoteRequest {
        NoteRequest(
            group: try ElectionGroup(group),
            key: key,
            text: text,
            lifetime: lifetime,
            isNews: isNews,
            timeout: .seconds(5)
        )
    }

    func write(_ key: String, _ text: String, lifetime: Duration = .seconds(60), isNews: Bool = true) async throws {
        let request = try Self.request("g", key, text, lifetime: lifetime, isNews: isNews)
        if case .unknown(let error) = try await provider.write([request])[0] { throw error }
    }

    func remove(_ key: String) async throws {
        let removal = NoteRemoval(group: try ElectionGroup("g"), key: key, timeout: .seconds(5))
        if case .unknown(let error) = try await provider.remove([removal])[0] { throw error }
    }

    func all() async throws -> [String] {
        switch try await provider.notes(of: [ElectionGroup("g")])[0] {
        case .found(let notes): return notes.map { "\($0.key): \($0.text)" }
        case .unknown(let error): throw error
        }
    }

    /// What a note was refused with; nil if it was not.
    func refusal() async -> ElectionError? {
        do {
            try await write("key", "text")
            return nil
        } catch {
            return error as? ElectionError
        }
    }
}
#endif
