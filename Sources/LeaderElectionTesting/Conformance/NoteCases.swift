// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let noteCases: [Case] = [
        Case("a note is read as it was written, by everybody, until it is removed", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let group = try trial.group()
            try await trial.hasNotes(second, group, [])
            try await trial.write(first, trial.note(group, "a", "text of a"))
            for provider in [first, second] { try await trial.hasNotes(provider, group, [("a", "text of a")]) }
            try await trial.remove(second, trial.removal(group, "a"))
            for provider in [first, second] { try await trial.hasNotes(provider, group, []) }
        },
        Case("a note of the same key replaces the one before, whoever wrote it", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let group = try trial.group()
            try await trial.write(first, trial.note(group, "a", String(repeating: "long", count: 200)))
            try await trial.write(first, trial.note(group, "b", "stays"))
            try await trial.write(second, trial.note(group, "a", "short"))
            try await trial.hasNotes(first, group, [("a", "short"), ("b", "stays")])
            try await trial.write(first, trial.note(group, "a", "", isNews: false))
            try await trial.hasNotes(second, group, [("a", ""), ("b", "stays")])
        },
        Case("a removal concerns one key, and one that is not there is no error", requires: .notes) { trial in
            let provider = try await trial.notes()
            let (group, other) = (try trial.group(), try trial.group())
            try await trial.remove(provider, trial.removal(group, "a"))
            for key in ["a", "a-", "A", "aa"] { try await trial.write(provider, trial.note(group, key, key)) }
            try await trial.write(provider, trial.note(other, "a", "other"))
            try await trial.remove(provider, trial.removal(group, "a"))
            try await trial.remove(provider, trial.removal(group, "a"))
            try await trial.hasNotes(provider, group, [("A", "A"), ("a-", "a-"), ("aa", "aa")])
            try await trial.hasNotes(provider, other, [("a", "other")])
        },
        Case("notes come in the order of their keys, by their bytes", requires: .notes) { trial in
            let provider = try await trial.notes()
            let group = try trial.group()
            let longest = String(repeating: "z", count: 64)
            for key in ["b", longest, "10", "B", "a-b", "9", "a", "ab", "-", "Z", "aB", "a9"] {
                try await trial.write(provider, trial.note(group, key, "of \(key)"))
            }
            let inOrder = ["-", "10", "9", "B", "Z", "a", "a-b", "a9", "aB", "ab", "b", longest]
            try await trial.hasNotes(provider, group, inOrder.map { ($0, "of \($0)") })
        },
        Case("a note holds 8 KiB of any text, unchanged", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let group = try trial.group()
            let texts = [
                "{\"a\":\"b\\n\",'c':null}", " \t leading and trailing \r\n", "é", "e\u{301}", "👩‍👩‍👧\u{FEFF}\u{200B}",
                "\u{1}\u{7F}\u{85}\u{2028}", "%s %00 $1 ? \\x00 \\", "\u{10FFFF}\u{FFFD}",
                String(repeating: "x", count: NoteRequest.maximumTextLength),
                String(repeating: "🦊", count: NoteRequest.maximumTextLength / 4),
                String(repeating: "\"", count: NoteRequest.maximumTextLength),
            ]
            for text in texts {
                try await trial.write(first, trial.note(group, "a", text))
                try await trial.hasNotes(second, group, [("a", text)])
            }
            for (index, text) in texts.enumerated() {
                try await trial.write(first, trial.note(group, "key\(10 + index)", text))
            }
            try await trial.remove(first, trial.removal(group, "a"))
            try await trial.hasNotes(second, group, texts.enumerated().map { ("key\(10 + $0)", $1) })
        },
        Case("notes of several groups share one batch, with answers in order", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let groups = try trial.groups(min(256, first.guarantees.maximumBatch))
            // Every third group has none, every third one, and every third three of them.
            let written = groups.enumerated().filter { $0.offset % 3 != 0 }
            try await trial.all(written.map { trial.note($1, "k", "of \($0)") }, first.write)
            let more = written.filter { $0.offset % 3 == 2 }
            try await trial.all(more.flatMap { [trial.note($1, "l", "l"), trial.note($1, "j", "j")] }, first.write)
            let answers = try await second.notes(of: groups)
            try trial.expect(answers.count == groups.count, "\(groups.count) groups, \(answers.count) answers")
            for (index, answer) in answers.enumerated() {
                let note = ("k", "of \(index)")
                try trial.check(answer, is: [[], [note], [("j", "j"), note, ("l", "l")]][index % 3])
            }
            try await trial.all(groups.map { trial.removal($0, "k") }, first.remove)
            for (index, answer) in try await second.notes(of: groups).enumerated() {
                try trial.check(answer, is: index % 3 == 2 ? [("j", "j"), ("l", "l")] : [])
            }
            for counts in [try await first.write([]).count, try await first.notes(of: []).count] {
                try trial.expect(counts == 0, "an empty batch was answered \(counts) times")
            }
        },
        Case("groups whose names look alike have notes of their own", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let stem = Nonce().description
            let names = [
                stem, stem + "/", "/" + stem, stem + "/a", "../" + stem, stem + "/..", "." + stem, stem + ".notes",
                stem + " ", stem + "%", stem + "%2F", stem + "_", stem + "*", stem + ":", stem + "'", stem + "\"",
                stem + "\\", stem + "{a}", stem + "a", stem + "A", stem + "🦊", stem + "é", stem + "e\u{301}",
                stem + "-a",
            ]
            let groups = try names.map { try ElectionGroup($0) }
            for group in groups {
                try first.validate(group, leaseDuration: trial.fixture.leaseDuration)
                try await trial.write(first, trial.note(group, "a", "of \(group.name)"))
            }
            for group in groups { try await trial.hasNotes(second, group, [("a", "of \(group.name)")]) }
            try await trial.remove(first, trial.removal(groups[0], "a"))
            for group in groups.dropFirst() { try await trial.hasNotes(second, group, [("a", "of \(group.name)")]) }
        },
        Case("a group whose name is as long as allowed has notes, too", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            for filler in ["x", "/", "🦊"] {
                let (long, sibling) = try trial.longGroups(filledWith: filler)
                do {
                    try first.validate(long, leaseDuration: trial.fixture.leaseDuration)
                } catch let error as ElectionError where error.code == .invalidGroup && filler != "x" {
                    continue  // refused before anything is changed: allowed without `everyGroupName`
                }
                let key = String(repeating: "k", count: 64)
                try await trial.write(first, trial.note(long, key, "of the one"))
                try await trial.write(first, trial.note(sibling, key, "of the other"))
                try await trial.hasNotes(second, long, [(key, "of the one")])
                try await trial.hasNotes(second, sibling, [(key, "of the other")])
            }
        },
        Case("a note has no effect on the lease and its terms, nor they on it", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let group = try trial.group()
            try await trial.write(second, trial.note(group, "a", "before"))
            try await trial.isFree(first, group)
            let grant = try await trial.grant(first, group)
            let record = try await trial.refused(second, trial.request(group), because: grant)
            try await trial.write(second, trial.note(group, "a", "during"))
            try await trial.write(second, trial.note(group, grant.nonce.description, "during"))
            try await trial.remove(second, trial.removal(group, grant.nonce.description))
            let again = try await trial.refused(second, trial.request(group), because: grant)
            try trial.expect(
                again.version == record.version,
                "a note moved the lease from \(record.version) to \(again.version)"
            )
            try await trial.renew(first, grant)
            try await trial.release(first, grant)
            try await trial.isFree(second, group, lastTerm: grant.term)
            try await trial.hasNotes(second, group, [("a", "during")])
            try await trial.write(second, trial.note(group, "a", "after"))
            let next = try await trial.grant(second, trial.request(group), after: grant)
            try await trial.hasNotes(first, group, [("a", "after")])
            try await trial.release(second, next)
        },
        Case("what is not allowed in a note is refused before anything is changed", requires: .notes) { trial in
            let provider = try await trial.notes()
            let group = try trial.group()
            let tooLong = String(repeating: "x", count: NoteRequest.maximumTextLength + 1)
            let tooLongInBytes = String(repeating: "é", count: NoteRequest.maximumTextLength / 2) + "x"
            let keys = ["", "a b", "a/b", "..", "a_b", "é", "a\n", "a\u{301}", "*", String(repeating: "k", count: 65)]
            let lifetimes = [Duration.zero, .seconds(-1), .seconds(100_000)]
            let refused =
                keys.map { trial.note(group, $0, "text") }
                + [tooLong, tooLongInBytes, "a\u{0}b"].map { trial.note(group, "b", $0) }
                + lifetimes.map { trial.note(group, "b", "text", lifetime: $0) }
            let good = trial.note(group, "a", "text")
            for request in refused {
                try await trial.isRefused("\"\(request.key)\" with \(request.text.utf8.count) bytes") {
                    provider.guarantees.maximumBatch > 1
                        ? try await provider.write([good, request]) : try await provider.write([request])
                }
                try await trial.hasNotes(provider, group, [])
            }
            try await trial.write(provider, good)
            for key in keys {
                try await trial.isRefused("the removal of \"\(key)\"") {
                    provider.guarantees.maximumBatch > 1
                        ? try await provider.remove([trial.removal(group, "a"), trial.removal(group, key)])
                        : try await provider.remove([trial.removal(group, key)])
                }
            }
            try await trial.hasNotes(provider, group, [("a", "text")])
        },
        Case("a note is kept for its lifetime, and forgotten soon after", requires: .notes) { trial in
            let (first, second) = (try await trial.notes(), try await trial.notes())
            let group = try trial.group()
            let lifetime = trial.fixture.leaseDuration
            try await trial.write(first, trial.note(group, "a", "goes", lifetime: lifetime))
            try await trial.write(first, trial.note(group, "b", "stays", lifetime: lifetime * 100))
            try await trial.write(first, trial.note(group, "c", "is refreshed", lifetime: lifetime))
            try await trial.pass(0.6, of: lifetime)
            try await trial.hasNotes(second, group, [("a", "goes"), ("b", "stays"), ("c", "is refreshed")])
            try await trial.write(second, trial.note(group, "c", "again", lifetime: lifetime * 100, isNews: false))
            try await trial.pass(0.4, of: lifetime)
            var remaining = 8
            while try await trial.keys(second, group) != ["b", "c"], remaining > 0 {
                remaining -= 1
                try await trial.pass(0.25, of: lifetime)
            }
            try await trial.hasNotes(second, group, [("b", "stays"), ("c", "again")])
            try await trial.write(first, trial.note(group, "a", "is back", lifetime: lifetime * 100))
            try await trial.hasNotes(second, group, [("a", "is back"), ("b", "stays"), ("c", "again")])
        },
    ]
}
