// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import LeaderElectionTesting
internal import Testing

@testable internal import LeaderElectionFileSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

@Suite(.timeLimit(.minutes(1)))
struct NoteTests {
    private let directory: TemporaryDirectory
    private let clock = ManualClock()
    private let group: ElectionGroup
    private let folder: String

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("a/b")
        folder = directory.file("a%2Fb.notes")
    }

    private func note(_ key: String, lifetime: Duration = .seconds(30), isNews: Bool = false) -> NoteRequest {
        NoteRequest(
            group: group,
            key: key,
            text: "text\nof \(key)",
            lifetime: lifetime,
            isNews: isNews,
            timeout: .seconds(60)
        )
    }

    private func write(_ provider: FileSystemElectionProvider, _ request: NoteRequest) async throws {
        guard case .done = try await provider.write([request])[0] else {
            throw TestFailure(text: "the note \(request.key) was not written")
        }
    }

    private func keys(_ provider: FileSystemElectionProvider) async throws -> [String]? {
        guard case .found(let notes) = try await provider.notes(of: [group])[0] else { return nil }
        return notes.map(\.key)
    }

    /// Puts a file in place as another program, or a power cut, would leave it.
    private func leave(_ bytes: [UInt8], at name: String) throws {
        try replaceFile(named: name, in: folder, with: bytes, temporaryName: name + "-temporary")
    }

    @Test func aNoteIsAReadableFileAndNothingElseIsLeft() async throws {
        let provider = directory.provider(clock: clock)
        for _ in 0..<3 { try await write(provider, note("a-1")) }
        #expect(TemporaryDirectory.names(in: folder) == ["a-1"])
        let bytes = try #require(try readFile(folder + "/a-1", atMost: 1_000))
        let deadline = clock.now.advanced(by: .seconds(30)).nanoseconds
        let wall = clock.wallNanoseconds + 30_000_000_000
        let domain = ClockDomain.current ?? ""
        let lines = [
            "leader-election note 1", "domain \(domain)", "deadline-ns \(deadline)", "wall-ns \(wall)", "bytes 11",
            "text\nof a-1",
        ]
        #expect(String(decoding: bytes, as: UTF8.self) == lines.joined(separator: "\n"))
    }

    @Test func whoOnlyReadsMakesNoFolder() async throws {
        let provider = directory.provider(clock: clock)
        #expect(try await keys(provider) == [])
        _ = try await provider.remove([NoteRemoval(group: group, key: "a", timeout: .seconds(60))])
        #expect(TemporaryDirectory.names(in: directory.path) == [])
    }

    @Test func expiredAndDamagedFilesAreRemovedByTheNextWrite() async throws {
        let provider = directory.provider(clock: clock)
        for key in ["a", "b"] { try await write(provider, note(key)) }
        try await write(provider, note("c", lifetime: .seconds(60)))
        let second = clock.wallNanoseconds / 1_000_000_000
        try leave([], at: "empty")
        try leave([0xFF, 0xFE], at: "damaged")
        try leave([], at: ".new-\(second - 100)-x")
        try leave([], at: ".new-\(second + 29)-x")
        clock.advance(by: .seconds(30))
        #expect(try await keys(provider) == ["c"])
        try await write(provider, note("d"))
        #expect(TemporaryDirectory.names(in: folder).sorted() == [".new-\(second + 29)-x", "c", "d"])
    }

    @Test(arguments: [true, false])
    func aNoteOfAnotherBootIsJudgedByTheWallClock(_ isKnown: Bool) async throws {
        let provider = directory.provider(clock: clock)
        try await write(provider, note("a"))
        let foreign = NoteFile(
            domain: isKnown ? "another boot" : nil,
            deadline: ElectionInstant(nanoseconds: 1),
            wallDeadline: clock.wallNanoseconds + 10_000_000_000,
            text: ""
        )
        try leave(foreign.bytes, at: "foreign")
        #expect(try await keys(provider) == ["a", "foreign"])
        clock.stepWall(by: .seconds(10))
        #expect(try await keys(provider) == ["a"])
        clock.stepWall(by: .seconds(10_000))
        #expect(try await keys(provider) == ["a"], "within a boot the wall clock plays no part")
    }

    @Test func whatIsNotANoteIsNotReadAsOne() {
        let note = NoteFile(domain: "d", deadline: ElectionInstant(nanoseconds: 7), wallDeadline: 8, text: "a\n\nb\n")
        #expect(NoteFile(parsing: note.bytes) == note)
        for text in ["", "🦊", "bytes 3\nabc"] {
            var other = note
            (other.text, other.domain) = (text, nil)
            #expect(NoteFile(parsing: other.bytes) == other)
        }
        for count in 0..<note.bytes.count { #expect(NoteFile(parsing: Array(note.bytes.prefix(count))) == nil) }
        #expect(NoteFile(parsing: note.bytes + [0]) == nil)
        #expect(NoteFile(parsing: [UInt8](repeating: 0, count: note.bytes.count)) == nil)
    }

    @Test func aLinkInPlaceOfTheFolderIsNotFollowed() async throws {
        let provider = directory.provider(clock: clock)
        try await write(provider, note("a"))
        let elsewhere = directory.file("elsewhere")
        #expect(rename(folder, elsewhere) == 0)
        #expect(symlink(elsewhere, folder) == 0)
        guard case .unknown(let error as ElectionError) = try await provider.write([note("b")])[0] else {
            throw TestFailure(text: "a note was written through a symbolic link")
        }
        #expect(error.group == "a/b")
        #expect(try await keys(provider) == nil)
        guard case .unknown = try await provider.remove([NoteRemoval(group: group, key: "a", timeout: .seconds(60))])[0]
        else { throw TestFailure(text: "a note was removed through a symbolic link") }
        #expect(TemporaryDirectory.names(in: elsewhere) == ["a"])
    }

    #if os(Linux)
    @Test func newsOfAnotherProcessIsHeardAndRead() async throws {
        let provider = try FileSystemElectionProvider(directory: directory.path)
        let contender = Contender(provider: provider)
        let hints = try await contender.hints(of: group)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
            let provider = try FileSystemElectionProvider(directory: path)
            let request = NoteRequest(
                group: try ElectionGroup("a/b"),
                key: "a",
                text: "from another process",
                lifetime: .seconds(600),
                isNews: true,
                timeout: .seconds(60)
            )
            _ = try await provider.write([request])
            kill(getpid(), SIGKILL)
        }
        #expect(await eventually { hints.all.contains(.noted(group)) })
        guard case .found(let notes) = try await provider.notes(of: [group])[0] else {
            throw TestFailure(text: "the notes cannot be read")
        }
        #expect(notes == [GroupNote(key: "a", text: "from another process")])
    }
    #endif
}
