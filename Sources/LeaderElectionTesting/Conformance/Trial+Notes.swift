// SPDX-License-Identifier: MIT

internal import LeaderElection

extension Trial {
    /// One more provider, which must keep notes.
    func notes() async throws -> any NoteKeepingProvider {
        let provider = try await provider()
        guard let keeping = provider as? any NoteKeepingProvider else {
            throw failure("\(type(of: provider)) is no NoteKeepingProvider")
        }
        return keeping
    }

    /// A note that outlives its case unless told otherwise.
    func note(
        _ group: ElectionGroup,
        _ key: String,
        _ text: String,
        lifetime: Duration? = nil,
        isNews: Bool = true
    ) -> NoteRequest {
        NoteRequest(
            group: group,
            key: key,
            text: text,
            lifetime: lifetime ?? fixture.leaseDuration * 100,
            isNews: isNews,
            timeout: callTimeout
        )
    }

    func removal(_ group: ElectionGroup, _ key: String) -> NoteRemoval {
        NoteRemoval(group: group, key: key, timeout: callTimeout)
    }

    func write(_ provider: any NoteKeepingProvider, _ request: NoteRequest) async throws {
        try await all([request], provider.write)
    }

    func remove(_ provider: any NoteKeepingProvider, _ request: NoteRemoval) async throws {
        try await all([request], provider.remove)
    }

    /// Makes one call, each request of which must be done.
    func all<Request>(_ requests: [Request], _ call: ([Request]) async throws -> [NoteAnswer]) async throws {
        let answers = try await answers(unless: { if case .unknown = $0 { true } else { false } }) {
            try await call(requests)
        }.answers
        try expect(answers.count == requests.count, "\(requests.count) requests, \(answers.count) answers")
        for answer in answers {
            guard case .done = answer else { throw failure("a write or removal of a note was answered \(answer)") }
        }
    }

    func isRefused(_ what: String, _ call: () async throws -> [NoteAnswer]) async throws {
        do {
            let answers = try await call()
            throw failure("\(what) was not refused, but answered \(answers)")
        } catch let error as ElectionError {
            try expect(error.code == .invalidConfiguration, "\(what) was refused as \(error.code)")
        }
    }

    func hasNotes(
        _ provider: any NoteKeepingProvider,
        _ group: ElectionGroup,
        _ expected: [(key: String, text: String)]
    ) async throws {
        try check(try await notes(provider, group), is: expected)
    }

    func keys(_ provider: any NoteKeepingProvider, _ group: ElectionGroup) async throws -> [String] {
        guard case .found(let notes) = try await notes(provider, group) else { return [] }
        return notes.map(\.key)
    }

    private func notes(_ provider: any NoteKeepingProvider, _ group: ElectionGroup) async throws -> NotesAnswer {
        try await answer(unless: { if case .unknown = $0 { true } else { false } }) {
            try await provider.notes(of: [group])
        }.answer
    }

    /// Compares bytes: texts that look the same need not be.
    func check(_ answer: NotesAnswer, is expected: [(key: String, text: String)]) throws {
        guard case .found(let notes) = answer else { throw failure("notes were read as \(answer)") }
        let keys = notes.map(\.key)
        try expect(keys == expected.map(\.key), "the notes are \(keys), not \(expected.map(\.key))")
        for (note, expected) in zip(notes, expected) {
            try expect(
                note.text.utf8.elementsEqual(expected.text.utf8),
                "the note \"\(note.key)\" is \"\(note.text.prefix(60))\", not \"\(expected.text.prefix(60))\""
            )
        }
    }
}
