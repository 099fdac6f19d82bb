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
        Case("a group name may have 200 bytes, and every one of them counts") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            for filler in ["x", "/", "%", " ", ".", "é", "🦊"] {
                let (long, sibling) = try trial.longGroups(filledWith: filler)
                do {
                    try first.validate(long, leaseDuration: trial.fixture.leaseDuration)
                } catch let error as ElectionError where error.code == .invalidGroup && filler != "x" {
                    continue  // refused before anything is changed: allowed without `everyGroupName`
                }
                let grant = try await trial.grant(first, long)
                let other = try await trial.grant(second, sibling)
                try await trial.isHeld(second, by: grant)
                try await trial.isHeld(first, by: other)
                try await trial.renew(first, grant)
                try await trial.release(first, grant)
                try await trial.isHeld(first, by: other)
            }
        },
        Case("no group name is refused for its length", requires: .everyGroupName) { trial in
            let provider = try await trial.provider()
            for filler in ["x", "/", "%", " ", ".", "é", "🦊"] {
                let (long, _) = try trial.longGroups(filledWith: filler)
                try provider.validate(long, leaseDuration: trial.fixture.leaseDuration)
                _ = try await trial.grant(provider, long)
            }
        },
    ]
}

extension Trial {
    /// Two names that are as long as allowed, and differ in nothing but their end: a store must not cut them short.
    func longGroups(filledWith filler: String) throws -> (ElectionGroup, ElectionGroup) {
        let stem = Nonce().description
        let room = ElectionGroup.maximumLength - stem.utf8.count
        let name = stem + String(repeating: filler, count: room / filler.utf8.count)
        return (try ElectionGroup(name), try ElectionGroup(String(name.dropLast()) + (filler == "x" ? "y" : "x")))
    }
}
