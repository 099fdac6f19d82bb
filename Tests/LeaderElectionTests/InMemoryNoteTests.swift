// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@Suite("In-memory store: notes and transfers")
struct InMemoryNoteTests {
    private let clock = ManualClock()
    private let store: InMemoryElectionStore
    private let group: ElectionGroup

    init() throws {
        store = InMemoryElectionStore(clock: clock)
        group = try ElectionGroup("jobs")
    }

    private func note(
        _ key: String,
        _ text: String = "text",
        lifetime: Duration = .seconds(30),
        of group: ElectionGroup? = nil
    ) -> NoteRequest {
        NoteRequest(
            group: group ?? self.group,
            key: key,
            text: text,
            lifetime: lifetime,
            isNews: false,
            timeout: .seconds(1)
        )
    }

    @Test("a note is there until exactly the end of its lifetime")
    func lifetime() {
        _ = store.write(note("a"))
        clock.advance(by: .seconds(30) - .nanoseconds(1))
        #expect(store.notes(of: group).map(\.key) == ["a"])
        clock.advance(by: .nanoseconds(1))
        #expect(store.notes(of: group).isEmpty)
    }

    @Test("notes of groups that nobody asks for again do not take up memory for ever")
    func memory() throws {
        for number in 0..<500 { _ = store.write(note("a", of: try ElectionGroup("group \(number)"))) }
        #expect(store.noteCount == 500)
        clock.advance(by: .seconds(31))
        _ = store.write(note("a"))
        #expect(store.noteCount == 1)
        _ = store.remove(NoteRemoval(group: group, key: "a", timeout: .seconds(1)))
        #expect(store.noteCount == 0)
    }

    @Test("a wipe takes the notes along")
    func wipe() {
        _ = store.write(note("a"))
        store.wipe()
        #expect(store.noteCount == 0)
    }

    @Test("the expiry of an heir's lease is told at its own deadline, though the old one would have ended sooner")
    func transferredExpiry() throws {
        let hints = Mutex<[ElectionInstant]>([])
        let subscription = store.subscribe { [clock] _ in hints.withLock { $0.append(clock.now) } }
        defer { subscription.cancel() }
        let nonce = Nonce()
        let candidate = Candidate(id: "a", incarnation: Nonce())
        let request = AcquireRequest(
            group: group,
            candidate: candidate,
            nonce: nonce,
            leaseDuration: .seconds(10),
            timeout: .seconds(1)
        )
        guard case .granted(let term, _) = store.acquire(request) else { throw Unexpected() }
        clock.advance(by: .seconds(6))
        let moved = clock.now
        let transfer = TransferRequest(
            group: group,
            nonce: nonce,
            term: term,
            heir: candidate,
            heirNonce: Nonce(),
            leaseDuration: .seconds(10),
            timeout: .seconds(1)
        )
        guard case .transferred(let next?) = store.transfer(transfer), next > term else { throw Unexpected() }
        clock.advance(by: .seconds(60))
        #expect(hints.withLock { $0 } == [moved, moved.advanced(by: .seconds(10))])
    }

    private struct Unexpected: Error {}

    @Test(
        "what is not allowed in a note is named, with the remedy",
        arguments: [
            ("", "", 30, "the key of a note is \"\"; use 1 to 64 ASCII letters, digits and -"),
            ("a_b", "", 30, "the key of a note is \"a_b\"; use 1 to 64 ASCII letters, digits and -"),
            ("a\u{7}", "", 30, "the key of a note is \"a?\"; use 1 to 64 ASCII letters, digits and -"),
            ("é", "", 30, "the key of a note is \"é\"; use 1 to 64 ASCII letters, digits and -"),
            (
                "a", String(repeating: "é", count: 4_097), 30,
                "the text of the note \"a\" has 8194 bytes; use at most 8192"
            ), ("a", "b\u{0}", 30, "the text of the note \"a\" holds the character U+0000; remove it"),
            ("a", "", 0, "the note \"a\" is to be kept for 0 s; use a millisecond to a day"),
            ("a", "", 86_401, "the note \"a\" is to be kept for 86401 s; use a millisecond to a day"),
        ] as [(String, String, Int, String)]
    )
    func refusals(key: String, text: String, seconds: Int, message: String) {
        let error = #expect(throws: ElectionError.self) {
            try note(key, text, lifetime: .seconds(seconds)).validate()
        }
        #expect(error?.message == message)
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.group == "jobs")
    }

    @Test("keys and texts at their limits are allowed")
    func limits() throws {
        for key in ["-", "aZ09", String(repeating: "k", count: 64)] {
            try note(key, String(repeating: "🦊", count: 2_048)).validate()
            try NoteRemoval(group: group, key: key, timeout: .seconds(1)).validate()
        }
        try note("a", "", lifetime: .seconds(86_400)).validate()
        try note("a", "", lifetime: .milliseconds(1)).validate()
    }
}
