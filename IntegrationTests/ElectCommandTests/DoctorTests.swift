// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport
import Testing

extension Store {
    /// What is found of the servers of the tests, which keep nothing on disk and whose replicas nobody waits for.
    fileprivate var weaknesses: Set<String> {
        switch self {
        case .file, .sqlite: []
        case .server(.postgres), .server(.pgbouncer):
            Set(["durability"]).union(tellsReleases ? [] : ["push"])
                .union(Backend.postgresStandby.isReachable ? ["standbys"] : [])
        case .server(.redis), .server(.redisTLS), .server(.valkey), .server(.redisQuorum): ["persistence"]
        case .server(.redisSentinel), .server(.redisCluster): ["persistence", "replicas"]
        case .server: []
        }
    }

    /// What is looked at of this store alone.
    fileprivate var subjects: Set<String> {
        switch self {
        case .file: ["filesystem", "inotify"]
        case .sqlite: ["filesystem", "inotify", "journal"]
        case .server(.postgres), .server(.pgbouncer): ["recovery", "durability", "standbys", "room", "clock", "drift"]
        case .server(.zookeeper): ["quorum"]
        case .server(.consul), .server(.consulTLS): ["quorum", "access"]
        case .server: ["eviction", "persistence", "replicas", "clock", "drift"]
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct DoctorTests {
    private struct Finding: Decodable {
        var check: String
        var ok: Bool
        var seen: String
    }

    private func examine(_ url: String, in directory: Directory) async throws -> (code: Int32?, findings: [Finding]) {
        let elect = try ElectProcess(
            ["doctor", "--provider", url, "--lease-duration", "30s", "--json"],
            in: directory
        )
        let code = try await elect.exitCode()
        return (
            code,
            try elect.standardOutput.split(separator: "\n").map {
                try JSONDecoder().decode(Finding.self, from: Data($0.utf8))
            }
        )
    }

    // One at a time over each store: all doctors use one group.
    @Test(arguments: Store.all)
    func aStoreThatIsInOrderHasNoFinding(store: Store) async throws {
        let directory = try Directory()
        let (code, findings) = try await examine(store.url(in: directory), in: directory)
        let found = findings.filter { !$0.ok }
        #expect(Set(found.map(\.check)) == store.weaknesses, "\(found)")
        #expect(code == (store.weaknesses.isEmpty ? 0 : 1))
        let seen = Set(findings.map(\.check))
        #expect(seen.isSuperset(of: store.subjects), "\(seen)")
    }

    @Test(.needsOwn(.redis)) func aRedisThatMayThrowLeasesAwayIsFound() async throws {
        try await PrivateServer.with(.redis, durable: true) { server in
            try await server.redis("config", "set", "maxmemory-policy", "allkeys-lru")
            let (code, findings) = try await examine(server.url, in: Directory())
            #expect(code == 1)
            let found = findings.filter { !$0.ok }
            // A server that was just started grants nothing for a while.
            #expect(Set(found.map(\.check)).subtracting(["grant"]) == ["eviction"], "\(found)")
            #expect(found.first?.seen.contains("allkeys-lru") == true)
            #expect(findings.contains { $0.check == "persistence" && $0.ok })
        }
    }

    @Test(.needsOwn(.postgres)) func aPostgresThatForgetsNothingHasNoFinding() async throws {
        try await PrivateServer.with(.postgres) { server in
            try await server.sql("ALTER SYSTEM SET fsync = on")
            try await server.sql("ALTER SYSTEM SET full_page_writes = on")
            try await server.sql("ALTER SYSTEM SET synchronous_commit = off")
            try await server.sql("SELECT pg_reload_conf()")
            var result = try await examine(server.url, in: Directory())
            // The server takes its settings in when it comes to it.
            for _ in 0..<20 where result.code != 0 { result = try await examine(server.url, in: Directory()) }
            #expect(result.findings.filter { !$0.ok }.map(\.check) == [])
            #expect(result.findings.contains { $0.seen.contains("synchronous_commit off (elections raise it to on") })
        }
    }

    @Test(.needs(.postgresStandby)) func aStandbyOfPostgresIsFound() async throws {
        let (code, findings) = try await examine(Backend.postgresStandby.url, in: Directory())
        #expect(code != 0)
        #expect(findings.allSatisfy { !$0.ok })
    }

    @Test(.needs(.zookeeper)) func aServerThatIsMissingFromAnEnsembleIsFound() async throws {
        let url = Backend.zookeeper.url
        let path = try #require(url.dropFirst("zookeeper://".count).firstIndex(of: "/"))
        // Below a root of its own: another doctor may be at the usual one.
        let more = ",127.0.0.1:1" + url[path...].replacing("/elections", with: "/elections-of-two")
        let (code, findings) = try await examine(url[..<path] + more, in: Directory())
        #expect(code == 1)
        let found = findings.filter { !$0.ok }
        #expect(found.map(\.check) == ["quorum"], "\(findings)")
        #expect(found.first?.seen.contains("127.0.0.1:1 does not serve") == true)
    }

    @Test(.needs(.zookeeper)) func aLeaseLongerThanTheServersAllowIsFound() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            ["doctor", "--provider", Backend.zookeeper.url, "--lease-duration", "10m"],
            in: directory
        )
        #expect(try await elect.exitCode() == 1)
        #expect(elect.standardOutput.contains("maxSessionTimeout"), "\(elect.standardOutput)")
    }

    @Test(.needs(.consulTLS)) func aTokenOfConsulsThatMayNotElectIsTold() async throws {
        let guest = "00000000-0000-0000-0000-0000000091e5"
        let url = Backend.consulTLS.url.replacing(Backend.consulToken, with: guest)
        let (code, findings) = try await examine(url, in: Directory())
        #expect(code == 1)
        let access = try #require(findings.first { $0.check == "access" })
        #expect(!access.ok && access.seen.contains("(guests) lacks session:write, key:write for "), "\(access.seen)")
        #expect(!findings.contains { $0.seen.contains(guest) })
    }

    @Test func aStoreThatIsNotThereIsUnavailable() async throws {
        // Nothing listens at a port that the system reserves and gives to nobody.
        let (code, findings) = try await examine("redis://127.0.0.1:1", in: Directory())
        #expect(code == 69)
        #expect(findings.isEmpty)
    }

    @Test func aStoreThatCannotBeMadeIsAFinding() async throws {
        let directory = try Directory()
        try directory.write("", to: "file")
        let (code, findings) = try await examine("file://\(directory.url.path)/file/store", in: directory)
        #expect(code == 1)
        #expect(findings.filter { !$0.ok }.map(\.check) == ["rights"])
    }
}
