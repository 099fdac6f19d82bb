// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import IntegrationSupport
import LeaderElection
import NIOCore
import Synchronization
import Testing

@testable import LeaderElectionConsul

@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(1)))
struct NoteTests {
    private let agent = Agent(.consul)
    private var stem: String { String(agent.prefix.dropLast()) }

    private func note(_ text: String, _ key: String = "key", isNews: Bool = true) throws -> NoteRequest {
        NoteRequest(
            group: try ElectionGroup("group"),
            key: key,
            text: text,
            lifetime: .seconds(60),
            isNews: isNews,
            timeout: .seconds(5)
        )
    }

    private func write(_ provider: ConsulElectionProvider, _ note: NoteRequest) async throws {
        guard case .done? = try await provider.write([note]).first else { throw NotInTime(what: "the note") }
    }

    private func texts(_ provider: ConsulElectionProvider) async throws -> [String] {
        guard case .found(let notes)? = try await provider.notes(of: [ElectionGroup("group")]).first else {
            throw NotInTime(what: "the notes")
        }
        return notes.map(\.text)
    }

    private func keys(_ root: String) async throws -> [String] {
        let answer = try await agent.call("GET", "kv/\(root)?keys&consistent")
        guard answer.status == 200 else { return [] }
        return try JSONDecoder().decode([String].self, from: Data(answer.body.utf8))
    }

    @Test
    func notesWakeNobodyWhoWaitsForLeasesAndOnlyNewsAreSpread() async throws {
        let provider = try agent.provider()
        let hints = Hints(provider)
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        _ = try await texts(provider)
        try await soon("the place for news") { try await keys("\(stem).news/") == ["\(stem).news/"] }
        let writer = try agent.provider()
        try await write(writer, note("first"))
        try await soon("the hint") { hints.all.contains(.noted(asker.request.group)) }
        hints.forget()
        for round in 0..<20 { try await write(writer, note("repeated \(round)", "quiet", isNews: false)) }
        try await write(writer, note("second"))
        try await soon("the hint") { hints.all.contains(.noted(asker.request.group)) }
        #expect(Set(hints.all) == [.noted(asker.request.group)])
        #expect(hints.all.count == 1)
        #expect(try await keys(agent.prefix) == [agent.key("group")])
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
    }

    @Test
    func whoeverWaitsKnowsHowManyWaitWithIt() async throws {
        let leader = try Asker(try agent.provider(), "group", "leader")
        let term = try await leader.termSoon()
        let writer = try agent.provider()
        for number in 0..<10 { try await write(writer, note("text", "c-\(number)", isNews: false)) }
        let provider = try agent.provider()
        let hints = Hints(provider)
        try await soon("the watch") { provider.store.watch.isCurrent }
        try await write(provider, note("text", "own", isNews: false))
        #expect(provider.store.crowds.size(leader.request.group) == 11)
        // At once or when it is this one's turn, as nobody else takes it.
        let freed = ProviderHint.freed(leader.request.group, listeners: 1)
        _ = try await leader.release(term)
        try await soon("the hint") { hints.all.contains(freed) }
        try await write(writer, note("text", "c-10", isNews: false))
        #expect(try await texts(provider).count == 12)
        #expect(provider.store.crowds.size(leader.request.group) == 12)
        _ = try await provider.remove([NoteRemoval(group: leader.request.group, key: "own", timeout: .seconds(5))])
        #expect(provider.store.crowds.size(leader.request.group) == 1)
        hints.forget()
        _ = try await leader.release(try await leader.termSoon())
        try await soon("the hint") { hints.all.contains(freed) }
    }

    @Test
    func newsThatAreRepeatedAreNewsNoMore() async throws {
        let provider = try agent.provider()
        try await write(provider, note("text"))
        #expect(try await keys("\(stem).news/").contains("\(stem).news/group/key"))
        #expect(try await keys("\(stem).notes/") == [])
        try await write(provider, note("text", isNews: false))
        #expect(try await !keys("\(stem).news/").contains("\(stem).news/group/key"))
        #expect(try await keys("\(stem).notes/") == ["\(stem).notes/group/key"])
        #expect(try await texts(provider) == ["text"])
    }

    @Test
    func whatHasLongExpiredIsDeletedByWhoReadsIt() async throws {
        let provider = try agent.provider()
        let now = ConsulStore.wallMilliseconds
        for (key, expiry) in [("old", now - 120_000), ("late", now - 2_000), ("new", now + 60_000)] {
            try await agent.call("PUT", "kv/\(stem).notes/group/\(key)?flags=\(expiry)", key)
        }
        #expect(try await texts(provider) == ["new"])
        try await soon("the deletion") {
            try await keys("\(stem).notes/") == ["\(stem).notes/group/late", "\(stem).notes/group/new"]
        }
    }

    @Test
    func whatHasExpiredInAGroupThatNobodyReadsIsDeletedSomeDay() async throws {
        let provider = try agent.provider()
        let now = ConsulStore.wallMilliseconds
        for root in ["notes", "news"] {
            for (key, expiry) in [("old", now - 120_000), ("new", now + 60_000)] {
                try await agent.call("PUT", "kv/\(stem).\(root)/abandoned/\(key)?flags=\(expiry)", key)
            }
        }
        try await agent.call("PUT", "kv/\(stem).notes/not-a-note?flags=\(UInt64.max)", "of somebody else")
        try await write(provider, note("text"))
        #expect(try await keys("\(stem).notes/").count == 3, "not with every note")
        provider.store.nextSweep.withLock { $0 = .now }
        try await write(provider, note("text"))
        try await soon("the deletion") {
            let left = try await keys("\(stem).notes/") + keys("\(stem).news/abandoned/")
            return left == ["notes/abandoned/new", "notes/not-a-note", "news/abandoned/new"].map { "\(stem).\($0)" }
        }
    }

    @Test
    func aBatchThatIsLargerThanATransactionIsWrittenAsAWhole() async throws {
        let provider = try agent.provider()
        let text = String(repeating: "x", count: NoteRequest.maximumTextLength)
        let requests = try (0..<200).map { try note(text, "key-\(1000 + $0)") }
        for answer in try await provider.write(requests) {
            guard case .done = answer else { throw NotInTime(what: "a note: \(answer)") }
        }
        #expect(try await texts(provider).count == 200)
    }

    @Test
    func whatIsAskedOfOneNoteLaterIsDoneLater() async throws {
        let provider = try agent.provider()
        let store = provider.store
        try await write(provider, note("text"))
        // A call for the note that takes its time.
        let call = store.http.loop.makePromise(of: Void.self)
        let key = store.names.notes(of: try ElectionGroup("group"), below: store.names.notes) + "key"
        store.noteCalls.withLock { $0[key] = call.futureResult }
        let removal = NoteRemoval(group: try ElectionGroup("group"), key: "key", timeout: .seconds(30))
        async let removed = provider.remove([removal])
        try await soon("the removal's turn") { store.noteCalls.withLock { $0[key] !== call.futureResult } }
        try await write(provider, note("of another key", "other"))
        #expect(try await texts(provider) == ["text", "of another key"])
        call.succeed()
        guard case .done? = try await removed.first else { throw NotInTime(what: "the removal") }
        #expect(try await texts(provider) == ["of another key"])
        #expect(store.noteCalls.withLock { $0.isEmpty })
    }

    @Test
    func aBatchThatNamesANoteTwiceKeepsTheLastOne() async throws {
        let provider = try agent.provider()
        _ = try await provider.write([note("first"), note("second", isNews: false), note("third")])
        #expect(try await texts(provider) == ["third"])
    }
}

/// Tokens that may elect, but not beside the prefix.
@Suite(.needs(.consulTLS), .timeLimit(.minutes(1)))
struct NoteAccessTests {
    @Test
    func whoMayNotWriteNotesIsToldWhereAndElectsAllTheSame() async throws {
        let agent = Agent(.consulTLS)
        let rules =
            #"key_prefix "\#(agent.prefix)" { policy = "write" } session_prefix "" { policy = "write" }"#
        let token = try await agent.token(rules, policy: "narrow-\(Nonce())")
        var settings = try agent.settings()
        settings.token = token
        let provider = ConsulElectionProvider(settings)
        let asker = try Asker(provider)
        _ = try await asker.termSoon()
        let request = NoteRequest(
            group: asker.request.group,
            key: "key",
            text: "text",
            lifetime: .seconds(60),
            isNews: true,
            timeout: .seconds(5)
        )
        guard case .unknown(let error as ElectionError)? = try await provider.write([request]).first else {
            throw NotInTime(what: "the refusal")
        }
        #expect(error.code == .storeRefused)
        #expect(error.message.contains("\(agent.prefix.dropLast()).notes/"))
        #expect(!error.message.contains(token))
    }
}
#endif
