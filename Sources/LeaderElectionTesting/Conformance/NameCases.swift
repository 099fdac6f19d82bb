// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let nameCases: [Case] = [
        Case("every allowed group name works, and no two names mean the same group") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let stem = Nonce().description
            let names = [
                stem, stem + "/", "/" + stem, stem + "/a/b", stem + "//a", "../" + stem, "./" + stem, stem + "/..",
                stem + ".", "." + stem, stem + ".lock", stem + ".state", stem + " ", " " + stem, stem + "%",
                stem + "%2F", stem + "%25", stem + "_", stem + "*", stem + "?", stem + ":", stem + ";", stem + "'",
                stem + "\"", stem + "\\", stem + "{a}", stem + "$1", stem + "#", stem + "&b=1", stem + "a", stem + "A",
                stem + "🦊", stem + "👩‍👩‍👧", stem + "é", stem + "e\u{301}", stem + "ß", stem + "ss", stem + "ﬁ", stem + "fi",
                "-" + stem, "~" + stem, stem + "\u{FEFF}", stem + "\u{200B}",
            ]
            var grants: [Trial.Grant] = []
            for name in names {
                let group = try ElectionGroup(name)
                try first.validate(group, leaseDuration: trial.fixture.leaseDuration)
                grants.append(try await trial.grant(first, trial.request(group, by: trial.candidate(name))))
            }
            // Each candidate is named like its group, so that a mix-up shows.
            for grant in grants {
                try await trial.isHeld(second, by: grant)
                try await trial.renew(first, grant)
            }
        },
        Case("a group name may have 200 bytes, whatever they are") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            for filler in ["x", "/", "%", " ", ".", "é", "🦊"] {
                let stem = Nonce().description
                let room = ElectionGroup.maximumLength - stem.utf8.count
                let name = stem + String(repeating: filler, count: room / filler.utf8.count)
                // Two names that differ in nothing but their end: a store must not cut them short.
                let grant = try await trial.grant(first, try ElectionGroup(name))
                let sibling = try ElectionGroup(String(name.dropLast()) + (filler == "x" ? "y" : "x"))
                let other = try await trial.grant(second, sibling)
                try await trial.isHeld(second, by: grant)
                try await trial.isHeld(first, by: other)
                try await trial.renew(first, grant)
                try await trial.release(first, grant)
                try await trial.isHeld(first, by: other)
            }
        },
    ]
}
