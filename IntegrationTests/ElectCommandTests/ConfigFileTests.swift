// SPDX-License-Identifier: MIT
#if Configuration
import ElectionHistory
import Foundation
import IntegrationSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite(.timeLimit(.minutes(5))) struct ConfigFileTests {
    private func write(_ verbose: Bool, _ lease: String, _ directory: Directory, more: String = "") throws {
        try directory.write(
            """
            {"provider": "\(Store.sqlite.url(in: directory))", "group": "g", "candidate": "me", "verbose": \(verbose),
             "lease-duration": "\(lease)"\(more)}
            """,
            to: "elect.json"
        )
    }

    @Test func aCampaignReadsItsFileAgainOnSIGHUP() async throws {
        let directory = try Directory()
        try write(false, "3s", directory)
        let elect = try ElectProcess(["campaign", "--config", "elect.json"], in: directory)
        #expect(try await eventually { elect.standardOutput.contains("acquired") })
        try write(false, "4s", directory)
        elect.send(SIGHUP)
        #expect(try await eventually { elect.standardError.contains("elect.json: lease-duration cannot change") })
        try write(true, "3s", directory, more: #", "verbos": true"#)
        elect.send(SIGHUP)
        #expect(try await eventually { elect.standardError.contains("unknown key \"verbos\"") })
        #expect(!elect.standardOutput.contains("renewed"))
        try write(true, "3s", directory)
        elect.send(SIGHUP)
        #expect(try await eventually { elect.standardOutput.contains("renewed") })
        #expect(try await eventually { elect.standardError.contains("changed: verbose") })
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
        #expect(elect.standardOutput.contains("lost"))
    }

    @Test func aCampaignReadsItsFileAgainWhenItChanges() async throws {
        let directory = try Directory()
        try write(false, "3s", directory)
        let elect = try ElectProcess(["campaign", "--config", "elect.json"], in: directory)
        #expect(try await eventually { elect.standardOutput.contains("acquired") })
        try write(true, "3s", directory, more: #", "verbos": true"#)
        #expect(try await eventually { elect.standardError.contains("nothing was changed: --config: elect.json") })
        try write(true, "4s", directory)
        #expect(try await eventually { elect.standardError.contains("elect.json: lease-duration cannot change") })
        #expect(!elect.standardOutput.contains("renewed"))
        try write(true, "3s", directory)
        #expect(try await eventually { elect.standardError.contains("changed: verbose") })
        #expect(try await eventually { elect.standardOutput.contains("renewed") })
        // Each of them once, and none for what else happens in the directory.
        #expect(elect.standardError.split(separator: "\n").count { $0.contains("elect.json") } == 3)
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func priorityAndHealthChangeWhileACampaignLeads() async throws {
        let directory = try Directory()
        let health = #", "health-interval": "100ms", "health-failure-threshold": 1"#
        try write(false, "1s", directory, more: health + #", "health-check": "true""#)
        let elect = try ElectProcess(["campaign", "--config", "elect.json"], in: directory)
        #expect(try await eventually { elect.standardOutput.contains("acquired") })
        let url = Store.sqlite.url(in: directory)
        let other = try ElectCandidate(
            "other",
            provider: url,
            lease: "1s",
            in: directory,
            options: ["--priority", "5"]
        )
        #expect(try await eventually { other.leads })

        try write(false, "1s", directory, more: health + #", "health-check": "true", "priority": 6"#)
        #expect(try await eventually { elect.standardError.contains("changed: priority") })
        #expect(try await eventually { other.denies })
        #expect(try await eventually { elect.standardOutput.split(separator: "acquired").count == 3 })

        try write(false, "1s", directory, more: health + #", "health-check": "false", "priority": 6"#)
        #expect(try await eventually { elect.standardError.contains("changed: health-check") })
        #expect(try await eventually { other.leads })
        #expect(elect.standardOutput.contains("(unhealthy)"))

        try write(false, "1s", directory, more: #", "priority": 6"#)
        #expect(try await eventually { elect.standardError.contains("health-check can become another one") })
        try write(false, "1s", directory, more: #", "metadata": "a=b", "priority": 6"#)
        #expect(try await eventually { elect.standardError.contains("metadata cannot change") })
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
        other.terminate()
        #expect(try await other.process.exitCode() == 0)
        #expect(other.lines.contains { $0.event == "lost" && $0.reason == "transferred" })
    }

    // As Kubernetes mounts a config map.
    @Test func aFileBehindALinkThatIsSetAnewIsReadAgain() async throws {
        let directory = try Directory()
        let files = FileManager.default
        for (version, verbose) in [("..1", false), ("..2", true)] {
            try files.createDirectory(at: directory.url.appending(path: version), withIntermediateDirectories: true)
            try write(verbose, "3s", directory)
            try files.moveItem(
                at: directory.url.appending(path: "elect.json"),
                to: directory.url.appending(path: version + "/elect.json")
            )
        }
        func link(_ name: String, to target: String) {
            unlink(directory.url.appending(path: name + "-new").path)
            #expect(symlink(target, directory.url.appending(path: name + "-new").path) == 0)
            #expect(
                rename(directory.url.appending(path: name + "-new").path, directory.url.appending(path: name).path) == 0
            )
        }
        link("..data", to: "..1")
        link("elect.json", to: "..data/elect.json")
        let elect = try ElectProcess(["campaign", "--config", "elect.json"], in: directory)
        #expect(try await eventually { elect.standardOutput.contains("acquired") })
        link("..data", to: "..2")
        #expect(try await eventually { elect.standardOutput.contains("renewed") })
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func withoutAFileSIGHUPEndsACampaign() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            ["campaign", "--provider", Store.sqlite.url(in: directory), "--group", "g"],
            in: directory
        )
        #expect(try await eventually { elect.standardOutput.contains("acquired") })
        elect.send(SIGHUP)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func aRunEndsItsCommandOnSIGHUPAlsoWithAFile() async throws {
        let directory = try Directory()
        try write(false, "3s", directory)
        let elect = try ElectProcess(["run", "--config", "elect.json", "--", "sleep", "60"], in: directory)
        #expect(try await eventually { elect.standardError.contains("runs as process") })
        elect.send(SIGHUP)
        #expect(try await elect.exitCode() == 128 + SIGTERM)
    }

    @Test(
        arguments: [
            (["status", "--config", "twice.json"], [:], "the key \"group\" twice"),
            (["status", "--config", "wrong.json"], [:], "\"lease-duration\" in wrong.json: \"ten\""),
            (["status", "--config", "none.json"], [:], "cannot read none.json"),
            (["status", "--group", "g"], ["ELECT_LEASE": "3s"], "ELECT_LEASE"),
            (["status", "--group", "g", "--postgres-table", "t"], [:], "--postgres-table means nothing to memory:"),
        ] as [([String], [String: String], String)]
    )
    func mistakesAreNamedWithTheirSource(arguments: [String], environment: [String: String], told: String) async throws
    {
        let directory = try Directory()
        try directory.write(#"{"group": "g", "group": "h"}"#, to: "twice.json")
        try directory.write(#"{"group": "g", "lease-duration": "ten"}"#, to: "wrong.json")
        let command = arguments.contains("wrong.json") ? ["campaign"] + arguments.dropFirst() : arguments
        let elect = try ElectProcess(
            command,
            in: directory,
            environment: environment.merging(["ELECT_PROVIDER": "memory:"]) { $1 }
        )
        #expect(try await elect.exitCode() == 64)
        #expect(elect.standardError.contains(told), "\(elect.standardError)")
    }
}
#endif
