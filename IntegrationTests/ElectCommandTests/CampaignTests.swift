// SPDX-License-Identifier: MIT

import ElectionHistory
import Foundation
import IntegrationSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite(.timeLimit(.minutes(5))) struct CampaignTests {
    private struct Event: Decodable {
        var event: String
        var group: String
        var candidate: String
        var term: Int64?
        var leader: String?
        var reason: String?
        var instant: Int64
        var validUntil: Int64?

        enum CodingKeys: String, CodingKey {
            case event, group, candidate, term, leader, reason
            case instant = "t_ns"
            case validUntil = "valid_until_ns"
        }
    }

    private func decode<Line: Decodable>(_ text: String) throws -> [Line] {
        try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test(arguments: Store.allCases)
    func eventsAreWholeJSONLinesFromReadyToStopped(store: Store) async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            [
                "campaign", "--provider", store.url(in: directory), "--group", "g", "--candidate", "me", "--events",
                "json",
            ],
            in: directory
        )
        #expect(try await eventually { elect.standardOutput.contains("\"acquired\"") })
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
        let events: [Event] = try decode(elect.standardOutput)
        #expect(events.map(\.event) == ["ready", "acquired", "changed", "lost", "changed", "stopped"])
        #expect(events.allSatisfy { $0.group == "g" && $0.candidate == "me" })
        #expect(events[1].term == events[3].term && events[1].term != nil)
        #expect(events[1].leader == "me")
        #expect((events[1].validUntil ?? 0) > events[1].instant)
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.instant <= $1.instant })
        let keys = ["event", "group", "candidate", "term", "leader", "reason", "t_ns", "valid_until_ns"]
        let positions = keys.map { elect.standardOutput.range(of: "\"\($0)\":")?.lowerBound }
        #expect(!positions.contains(nil))
        #expect(positions.compactMap { $0 } == positions.compactMap { $0 }.sorted())
    }

    @Test func aKilledCampaignLeavesWholeLinesOfHistory() async throws {
        let directory = try Directory()
        let history = directory.url.appending(path: "history").path
        let elect = try ElectProcess(
            [
                "campaign", "--provider", Store.sqlite.url(in: directory), "--group", "g", "--history", history,
                "--sample-interval", "2ms",
            ],
            in: directory
        )
        #expect(try await eventually { directory.lines(of: "history").filter { $0.contains("true") }.count > 20 })
        elect.send(SIGKILL)
        #expect(try await elect.exitCode() == 128 + SIGKILL)
        let text = try String(contentsOfFile: history, encoding: .utf8)
        #expect(text.hasSuffix("}\n"))
        let lines: [HistoryLine] = try decode(text)
        let claims = lines.filter { $0.kind == .claim }
        #expect(claims.allSatisfy { ($0.before ?? .max) <= ($0.after ?? .min) && ($0.leading == ($0.term != nil)) })
        let grant = try #require(lines.first { $0.op == "acquire" && $0.phase == "ok" })
        #expect(grant.nonce?.count == 32)
        #expect(claims.last?.term == grant.term)
        #expect(lines.contains { $0.kind == .event })
        #expect(HistoryAudit(try History(files: [URL(filePath: history)])).violations == [])
    }

    @Test func aStoreThatIsAwayIsSaidOnceAndWaitedFor() async throws {
        let directory = try Directory()
        try directory.write("", to: "store")  // a file where the directory should be
        let elect = try ElectProcess(
            [
                "campaign", "--provider", Store.file.url(in: directory), "--group", "g", "--events", "json",
                "--lease-duration", "1s",
            ],
            in: directory
        )
        #expect(try await eventually { elect.standardOutput.contains("\"error\"") })
        #expect(elect.standardError.contains("g: "))
        try FileManager.default.removeItem(at: directory.url.appending(path: "store"))
        #expect(try await eventually { elect.standardOutput.contains("\"acquired\"") })
        let events: [Event] = try decode(elect.standardOutput)
        #expect(events.filter { $0.event == "error" }.count == 1)
        elect.send(SIGINT)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func manyGroupsAreLedByOneProcess() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            [
                "campaign", "--provider", Store.sqlite.url(in: directory), "--groups", "200", "--group-prefix", "s-",
                "--events", "json",
            ],
            in: directory
        )
        func count(_ event: String) -> Int {
            elect.standardOutput.components(separatedBy: "\"event\":\"\(event)\"").count - 1
        }
        #expect(try await eventually { count("acquired") == 200 })
        #expect(elect.standardOutput.contains("\"s-199\""))
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
        #expect(count("stopped") == 200)
    }

    @Test(arguments: Store.allCases)
    func statusAndWatchSeeTheLeader(store: Store) async throws {
        let directory = try Directory()
        let url = store.url(in: directory)
        let leader = try ElectProcess(
            ["campaign", "--provider", url, "--group", "g", "--candidate", "me", "--metadata", "zone=x"],
            in: directory
        )
        #expect(try await eventually { leader.standardOutput.contains("acquired") })
        let status = try ElectProcess(["status", "--provider", url, "--group", "g", "--json"], in: directory)
        #expect(try await status.exitCode() == 0)
        #expect(status.standardOutput.contains(#""leader":"me""#))
        #expect(status.standardOutput.contains(#""metadata":{"zone":"x"}"#))
        let watch = try ElectProcess(["watch", "--provider", url, "--group", "g", "--json"], in: directory)
        #expect(try await eventually { watch.standardOutput.contains(#""leader":"me""#) })
        leader.send(SIGTERM)
        #expect(try await eventually { watch.standardOutput.contains(#""leader":null,"reason":"vacant""#) })
        watch.send(SIGTERM)
        #expect(try await watch.exitCode() == 0)
        #expect(try await leader.exitCode() == 0)
    }

    @Test(arguments: [
        ["status", "--provider", "file:///no/such/directory", "--group", "g"],
        ["watch", "--provider", "sqlite:///no/such/file.db", "--group", "g", "--json"],
        ["bench", "--provider", "sqlite:///no/such/file.db", "--iterations", "1"],
    ])
    func aStoreThatCannotBeReadIs69(arguments: [String]) async throws {
        let directory = try Directory()
        let elect = try ElectProcess(arguments, in: directory)
        #expect(try await elect.exitCode() == 69)
        #expect(elect.standardError.hasPrefix("elect: "))
    }

    @Test(arguments: [
        ["campaign", "--provider", "memory:"], ["campaign", "--group", "g"], ["campaign", "--bogus"],
        ["campaign", "--provider", "memory:", "--group", "g", "--groups", "2"],
        ["campaign", "--provider", "memory:", "--group", "g", "--lease-duration", "1"],
        ["campaign", "--provider", "memory:", "--group", "g", "--renew-interval", "9s"],
        ["campaign", "--provider", "memory:", "--group", "g", "--sample-interval", "2ms"],
        ["campaign", "--provider", "memory:", "--group", ""], ["run", "--provider", "memory:", "--group", "g"],
        ["bench", "--provider", "memory:", "--iterations", "0"],
    ])
    func wrongUsageIs64(arguments: [String]) async throws {
        let directory = try Directory()
        let elect = try ElectProcess(arguments, in: directory)
        #expect(try await elect.exitCode() == 64)
        #expect(!elect.standardError.isEmpty)
        #expect(elect.standardOutput.isEmpty)
    }
}
