// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let noteHintCases: [Case] = [
        Case("news of a note reaches the leader, who has read the notes before", requires: [.notes, .hints]) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let recorder = HintRecorder()
            let subscription = try trial.pushing(second).hints { recorder.receive($0) }
            defer { subscription.cancel() }
            let group = try trial.group()
            let grant = try await trial.grant(second, group)
            try await trial.hasNotes(second, group, [])
            // More than once: the first hint may be the one of a push channel that has just come up.
            for round in 0..<4 {
                let mark = recorder.mark
                try await trial.write(first, trial.note(group, "a", "news \(round)"))
                try await trial.expectNoted(recorder, group, after: mark)
                try await trial.hasNotes(second, group, [("a", "news \(round)")])
            }
            try await trial.renew(second, grant)
        },
        Case("a note that is no news is not pushed", requires: [.notes, .hints, .quietNotes]) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let recorder = HintRecorder()
            let subscription = try trial.pushing(second).hints { recorder.receive($0) }
            defer { subscription.cancel() }
            let (quiet, loud) = (try trial.group(), try trial.group())
            for group in [quiet, loud] { try await trial.hasNotes(second, group, []) }
            func write(_ group: ElectionGroup, _ text: String) async throws {
                let mark = recorder.mark
                try await trial.write(first, trial.note(group, "a", text))
                try await trial.expectNoted(recorder, group, after: mark)
            }
            for round in 0..<3 {
                try await write(quiet, "news \(round)")
                // That hint may come twice: news of the other group, which come later, flush it out.
                try await write(loud, "flushes \(round)")
                let mark = recorder.mark
                try await trial.write(first, trial.note(quiet, "a", "no news \(round)", isNews: false))
                try await write(loud, "comes after \(round)")
                try trial.expect(!recorder.hasNoted(quiet, after: mark), "a note that is no news was pushed")
            }
        },
    ]
}

extension Trial {
    func expectNoted(_ recorder: HintRecorder, _ group: ElectionGroup, after mark: Int) async throws {
        guard try await recorder.waitsForNote(of: group, after: mark, upTo: fixture.hintTimeout) else {
            throw failure("no hint within \(fixture.hintTimeout) of a note that was written")
        }
    }
}
