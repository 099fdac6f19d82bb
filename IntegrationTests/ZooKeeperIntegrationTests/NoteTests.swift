// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite(.needs(.zookeeper), .serialized, .timeLimit(.minutes(1)))
struct NoteTests {
    private let ensemble = Ensemble(.zookeeper)
    private var path: String { "\(ensemble.root)/%notes/group" }

    private func note(
        _ text: String,
        in group: ElectionGroup? = nil,
        lifetime: Duration = .seconds(60),
        isNews: Bool = false
    ) throws -> NoteRequest {
        NoteRequest(
            group: try group ?? ElectionGroup("group"),
            key: "key",
            text: text,
            lifetime: lifetime,
            isNews: isNews,
            timeout: .seconds(5)
        )
    }

    private func write(_ provider: ZooKeeperElectionProvider, _ note: NoteRequest) async throws {
        guard case .done? = try await provider.write([note]).first else { throw NotInTime(what: "the note") }
    }

    private func texts(_ provider: ZooKeeperElectionProvider) async throws -> [String] {
        guard case .found(let notes)? = try await provider.notes(of: [ElectionGroup("group")]).first else {
            throw NotInTime(what: "the notes")
        }
        return notes.map(\.text)
    }

    @Test
    func notesAreNoCandidates() async throws {
        let asker = try Asker(try ensemble.provider())
        let term = try await asker.termSoon()
        try await write(asker.provider, note("text", isNews: true))
        let client = try await RawClient(ensemble.servers)
        #expect(try await client.children("\(ensemble.root)/group").count == 1)
        #expect(try await client.children(path) == ["key"])
        #expect(try await client.text("\(path)/key") == "text")
        #expect(try await Asker(try ensemble.provider(), "group", "other").holder() == "candidate")
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
    }

    @Test
    func aNoteThatIsRepeatedIsNotWrittenAgainUnlessItHasGone() async throws {
        let provider = try ensemble.provider()
        let client = try await RawClient(ensemble.servers)
        try await write(provider, note("text"))
        let first = try #require(try await client.stat("\(path)/key"))
        for _ in 0..<5 { try await write(provider, note("text")) }
        let repeated = try await client.stat("\(path)/key")
        #expect(repeated == first)
        try await client.delete("\(path)/key")
        try await write(provider, note("text"))
        let second = try #require(try await client.stat("\(path)/key"))
        #expect(second.czxid > first.czxid)
        try await write(provider, note("other text"))
        #expect(try #require(try await client.stat("\(path)/key")).czxid > second.czxid)
        // What is read again is read as a whole only if there is anything new.
        #expect(try await texts(provider) == ["other text"])
        let before = await provider.store.sentCount
        for _ in 0..<5 { #expect(try await texts(provider) == ["other text"]) }
        #expect(await provider.store.sentCount - before == 5)
    }

    @Test
    func manyGroupsWithoutNotesAreLookedAfterWithFewRequests() async throws {
        let (reader, writer) = (try ensemble.provider(), try ensemble.provider())
        let groups = try (0..<300).map { try ElectionGroup("a group/\($0)") }
        func noted() async throws -> [Int] {
            try await reader.notes(of: groups).enumerated().compactMap { index, answer in
                guard case .found(let notes) = answer else { throw NotInTime(what: "the notes: \(answer)") }
                return notes.isEmpty ? nil : index
            }
        }
        #expect(try await noted() == [])
        try await write(writer, note("text", in: groups[7]))
        #expect(try await noted() == [7])
        let before = await reader.store.sentCount
        for _ in 0..<5 { #expect(try await noted() == [7]) }
        // Whether any group's first note has come, and those of the one that has some.
        #expect(await reader.store.sentCount - before == 10)
        try await write(writer, note("text", in: groups[299]))
        #expect(try await noted() == [7, 299])
    }

    @Test
    func aNoteThatSomebodyElseWroteAnewOutlivesTheFirstOne() async throws {
        let (first, second) = (try ensemble.provider(), try ensemble.provider())
        try await write(first, note("first", lifetime: .milliseconds(500)))
        try await write(second, note("second"))
        try await soon("the end of the first one") { await first.store.ownNotes.isEmpty }
        #expect(try await texts(first) == ["second"])
        await second.store.dropSession(cause: nil, mustClose: true)
        try await soon("the end of the session") { try await texts(first).isEmpty }
    }

    @Test
    func notesEndWithTheProvider() async throws {
        let reader = try ensemble.provider()
        let hints = Hints(reader)
        func writeAndGo() async throws {
            let provider = try ensemble.provider()
            try await write(provider, note("text", lifetime: .seconds(3600), isNews: true))
            #expect(try await texts(reader) == ["text"])
        }
        try await writeAndGo()
        try await soon("the end of the note") { try await texts(reader).isEmpty }
        #expect(hints.warnings.isEmpty)
    }

    @Test
    func notesAreMadeAnewInANewSession() async throws {
        let (provider, reader) = (try ensemble.provider(), try ensemble.provider())
        let asker = try Asker(provider)
        _ = try await asker.termSoon()
        let hints = Hints(provider)
        try await write(provider, note("text"))
        let session = await provider.store.session?.id
        try await soon("the end of the session") {
            try await provider.store.killSession()
            return await provider.store.session?.id != session
        }
        try await asker.termSoon()
        try await soon("the note") { try await texts(reader) == ["text"] }
        // News are pushed to the new session, too.
        hints.forget()
        try await write(reader, note("news", isNews: true))
        try await soon("the hint") { hints.all.contains(.noted(asker.request.group)) }
    }

    @Test
    func thePlaceOfNotesMayVanish() async throws {
        let (provider, reader) = (try ensemble.provider(), try ensemble.provider())
        let hints = Hints(reader)
        try await write(provider, note("text", isNews: true))
        #expect(try await texts(reader) == ["text"])
        let group = try ElectionGroup("group")
        let slot = "\(ensemble.root)/%news/\(NewsSlot(group).number)"
        let client = try await RawClient(ensemble.servers)
        for path in ["\(path)/key", path, "\(ensemble.root)/%notes", slot, "\(ensemble.root)/%news"] {
            // A watch that is lost is set again at once, and makes its node again.
            try await soon("the deletion of \(path)") {
                do {
                    try await client.delete(path)
                    return true
                } catch let failure as RawClient.Failure {
                    return failure.code == ZooKeeperCode.noNode
                }
            }
            if path == slot { break }
        }
        #expect(try await texts(reader) == [])
        for round in 0..<3 {
            hints.forget()
            try await write(provider, note("round \(round)", isNews: true))
            try await soon("the hint") { hints.all.contains(.noted(group)) }
            #expect(try await texts(reader) == ["round \(round)"])
        }
    }
}
#endif
