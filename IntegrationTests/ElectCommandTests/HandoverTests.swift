// SPDX-License-Identifier: MIT

import ElectionHistory
import Foundation
import IntegrationSupport
import Testing

/// Operators at work: who waits, and leadership that changes hands because somebody asked for it.
@Suite(.timeLimit(.minutes(5))) struct HandoverTests {
    let directory: Directory

    init() throws { directory = try Directory() }

    private func elect(_ arguments: String...) async throws -> (code: Int32?, output: String, errors: String) {
        let process = try ElectProcess(arguments, in: directory)
        let code = try await process.exitCode(within: 90)
        return (code, process.standardOutput, process.standardError)
    }

    /// Those who wait, once there are so many.
    private func waiting(_ count: Int, provider: String, group: String) async throws -> [Waiting] {
        struct Status: Decodable {
            let candidates: [Waiting]
        }
        var found: [Waiting] = []
        for _ in 0..<100 where found.count != count {
            let status = try await elect("status", "--provider", provider, "--group", group, "--json")
            try #require(status.code == 0, "\(status.errors)")
            found = try JSONDecoder().decode(Status.self, from: Data(status.output.utf8)).candidates
        }
        return found
    }

    private struct Waiting: Decodable {
        let candidate: String
        let position: Int?
    }

    @Test(arguments: Store.all.filter(\.keepsNotes)) func leadershipGoesWhereItIsSent(_ store: Store) async throws {
        let (provider, group) = (store.url(in: directory), "handover-\(UInt32.random(in: 0 ... .max))")
        // Where nothing is pushed a free lease is found when it would have run out.
        let lease = store.tellsReleases ? "10s" : "3s"
        let candidates = try ["a", "b", "c"].map {
            try ElectCandidate($0, group: group, provider: provider, lease: lease, in: directory)
        }
        let first = try #require(try await candidates.leader())
        let others = candidates.map(\.name).filter { $0 != first.name }
        let listed = try await waiting(2, provider: provider, group: group)
        #expect(Set(listed.map(\.candidate)) == Set(others))
        #expect(Set(listed.map(\.position)) == (store == .server(.zookeeper) ? [1, 2] : [nil]))

        // Not to the one that would come first.
        let heir = try #require(candidates.last { $0.name != first.name })
        let transfer = try await elect(
            "transfer",
            "--provider",
            provider,
            "--group",
            group,
            "--to",
            heir.name,
            "--json"
        )
        #expect(transfer.code == 0, "\(transfer.errors)")
        #expect(transfer.output.contains("\"leader\":\"\(heir.name)\""))
        #expect(try await eventually { heir.leads })
        let third = try #require(candidates.first { $0.name != first.name && $0.name != heir.name })
        #expect(third.terms.isEmpty)
        #expect(first.lines.contains { $0.event == "lost" && $0.reason == "transferred" })
        #expect(try #require(heir.terms.last) > (try #require(first.terms.last)))

        let resignation = try await elect(
            "resign",
            "--provider",
            provider,
            "--group",
            group,
            "--stand-down",
            "10m"
        )
        #expect(resignation.code == 0, "\(resignation.errors)")
        #expect(heir.denies)
        let next = try #require(try await [first, third].leader())
        let eviction = try await elect("evict", "--provider", provider, "--group", group, "--stand-down", "10m")
        #expect(eviction.code == 0, "\(eviction.errors)")
        #expect(next.lines.contains { $0.event == "lost" && $0.reason == "evicted" })
        let last = try #require([first, third].first { $0.name != next.name })
        #expect(try await eventually { last.leads })
        #expect(candidates.violations.isEmpty)
        for candidate in candidates { candidate.terminate() }
        for candidate in candidates { #expect(try await candidate.process.exitCode() == 0) }
    }

    @Test(arguments: Store.all.filter(\.keepsNotes)) func whatCannotBeDoneIsRefused(_ store: Store) async throws {
        let (provider, group) = (store.url(in: directory), "refused-\(UInt32.random(in: 0 ... .max))")
        let alone = try ElectCandidate("alone", group: group, provider: provider, lease: "10s", in: directory)
        #expect(try await eventually { alone.leads })
        let nobody = try await elect("transfer", "--provider", provider, "--group", group, "--to", "nobody")
        #expect(nobody.code == 1 && nobody.errors.contains("nobody"), "\(nobody.errors)")
        let oneself = try await elect("transfer", "--provider", provider, "--group", group, "--to", "alone")
        #expect(oneself.code == 1 && oneself.errors.contains("leads already"), "\(oneself.errors)")
        #expect(alone.leads && alone.terms.count == 1)
        let vacant = try await elect("resign", "--provider", provider, "--group", group + "-vacant")
        #expect(vacant.code == 1 && vacant.errors.contains("nobody leads"), "\(vacant.errors)")
        alone.terminate()
        #expect(try await alone.process.exitCode() == 0)
    }

    @Test func optionsAreCheckedFirst() async throws {
        let provider = Store.file.url(in: directory)
        for (arguments, complaint) in [
            (["transfer", "--provider", provider, "--group", "g"], "--to"),
            (["resign", "--provider", provider], "--group"),
            (["evict", "--provider", provider, "--group", "g", "--stand-down", "soon"], "soon"),
            (["resign", "--provider", provider, "--group", "g", "--timeout", "0s"], "--timeout"),
            (["campaign", "--provider", provider, "--group", "g", "--priority", "2000"], "2000"),
        ] {
            let process = try ElectProcess(arguments, in: directory)
            #expect(try await process.exitCode() == 64)
            #expect(process.standardError.contains(complaint), "\(process.standardError)")
        }
    }
}
