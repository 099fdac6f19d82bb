// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import NIOCore
import Testing

@testable import LeaderElectionConsul

@Suite struct NoteNameTests {
    private let names = KeyNames(prefix: "team/elections/")

    @Test(arguments: ["g", "a/b", "..", "ü 🦊", "%2F", "g/.lock", String(repeating: "/", count: 40)])
    func notesAreBesideThePrefixAndTellTheirGroup(_ name: String) throws {
        let group = try ElectionGroup(name)
        for root in [names.notes, names.news, names.lookouts] {
            #expect(!root.hasPrefix(names.prefix), "or each note would wake the watch of leases")
            let key = names.notes(of: group, below: root) + "c-01"
            #expect(names.group(key) == nil)
            #expect(names.groupOfNews(key) == (root == names.news ? group : nil))
        }
        #expect(names.groupOfNews(names.key(group)) == nil)
    }

    @Test func whatIsNoGroupsIsNoNews() {
        for key in ["", "key", "/key", "%zz/key"].map({ names.news + $0 }) + ["", "team/elections.news"] {
            #expect(names.groupOfNews(key) == nil, "\(key)")
        }
    }

    @Test func groupsWhoseNamesBeginAlikeDoNotShareNotes() throws {
        let short = names.notes(of: try ElectionGroup("a"), below: names.notes)
        #expect(!names.notes(of: try ElectionGroup("ab"), below: names.notes).hasPrefix(short))
        #expect(!names.notes(of: try ElectionGroup("a/b"), below: names.notes).hasPrefix(short))
    }

    @Test func deletionsAreWrittenAsConsulReadsThem() {
        let body = KVOperation.body([.delete("a\"b"), .compareAndDelete("c", 7)])
        #expect(
            String(buffer: body)
                == #"[{"KV":{"Verb":"delete","Key":"a\"b"}},{"KV":{"Verb":"delete-cas","Key":"c","Index":7}}]"#
        )
    }
}
#endif
