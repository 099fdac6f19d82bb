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

/// `--health-check` and `--prepare`: commands that have a say in whether a candidate leads.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HelperCommandTests {
    let directory: Directory
    private let provider: String

    init() throws {
        directory = try Directory()
        provider = Store.sqlite.url(in: directory)
    }

    /// Is well, unless there is a file `sick`, and hangs with three processes, one of them in a session of its own, if
    /// there is a file `hang`.
    private static let check = """
        echo >> checks
        if [ -e hang ]; then
            trap '' TERM
            setsid sh -c 'echo $$ >> pids; while :; do sleep 0.1; done' &
            sh -c 'echo $$ >> pids; while :; do sleep 0.1; done' &
            echo $$ >> pids
            wait
        fi
        test ! -e sick && echo well >> results
        """
    private static let often = [
        "--health-check", check, "--health-interval", "100ms", "--health-timeout", "1s",
        "--health-failure-threshold", "2", "--health-recovery-threshold", "2",
    ]

    private var pids: [pid_t] { directory.lines(of: "pids").compactMap { pid_t($0) } }
    private var checks: Int {
        ((try? String(contentsOf: directory.url.appending(path: "checks"), encoding: .utf8)) ?? "").count
    }

    private func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: directory.url.appending(path: name))
    }

    @Test func aCheckThatHangsDelaysNoRenewalUntilItHasFailedOftenEnough() async throws {
        let other = try Directory()
        let leader = try ElectCandidate(
            "leader",
            provider: provider,
            lease: "1s",
            in: directory,
            options: Self.often
        )
        #expect(try await eventually { leader.leads })
        let next = try ElectCandidate("next", provider: provider, lease: "1s", in: other)
        #expect(try await eventually { next.lines.contains { $0.event == "changed" } })
        try directory.write("", to: "hang")
        #expect(try await eventually { self.pids.count >= 3 })
        let hangs = ElectCandidate.now
        #expect(try await eventually { leader.lines.contains { $0.event == "lost" } })
        let lost = try #require(leader.lines.first { $0.event == "lost" })
        #expect(lost.reason == "unhealthy")
        // Two time-outs are more than a lease: without renewals it would have been lost for another reason.
        let renewed = leader.lines.filter { $0.event == "renewed" && $0.time > hangs && $0.time < lost.time }
        #expect(renewed.count >= 3)
        #expect(pids.count >= 6)
        #expect(leader.process.standardError.contains("the health check took longer than 1 s"))
        #expect(try await eventually { next.leads })
        // Nothing new begins to hang, and nothing of what hung is left.
        try remove("hang")
        #expect(try await eventually { self.pids.allSatisfy { !isAlive($0) } })
        #expect([leader, next].violations.isEmpty)

        // Well again, it takes part again.
        next.terminate()
        #expect(try await next.process.exitCode() == 0)
        #expect(try await eventually { leader.terms.count == 2 })
        leader.terminate()
        #expect(try await leader.process.exitCode() == 0)
    }

    @Test func whoIsNotWellDoesNotCampaignUntilItHasRecovered() async throws {
        try directory.write("", to: "sick")
        let candidate = try ElectCandidate("sick", provider: provider, lease: "1s", in: directory, options: Self.often)
        #expect(try await eventually { self.checks >= 3 })
        #expect(candidate.process.standardError.contains("\"sick\" takes no part in the election: it ended with 1"))
        #expect(!candidate.lines.contains { $0.op == "acquire" })
        #expect(directory.lines(of: "results").isEmpty)
        try remove("sick")
        #expect(try await eventually { candidate.leads })
        #expect(directory.lines(of: "results").count >= 2)
        candidate.terminate()
        #expect(try await candidate.process.exitCode() == 0)
    }

    @Test func whoFallsIllHasItsCommandEndedInGoodOrder() async throws {
        let script =
            "trap 'echo $ELECT_TERM >> ended; exit 0' TERM; echo $ELECT_TERM >> terms; while :; do sleep 0.05; done"
        let elect = try ElectProcess(
            ["run", "--provider", provider, "--group", "g"] + Self.often + ["--", "sh", "-c", script],
            in: directory
        )
        #expect(try await eventually { self.directory.lines(of: "terms").count == 1 })
        try directory.write("", to: "sick")
        #expect(try await eventually { self.directory.lines(of: "ended").count == 1 })
        try remove("sick")
        #expect(try await eventually { self.directory.lines(of: "terms").count == 2 })
        #expect(directory.lines(of: "terms").first == directory.lines(of: "ended").first)
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func aKilledGuardianOfACheckTakesNothingElseAlong() async throws {
        let elect = try ElectProcess(
            ["run", "--provider", provider, "--group", "g"] + Self.often.map { $0 == "1s" ? "60s" : $0 }
                + ["--", "sh", "-c", "trap 'exit 0' TERM; echo $$ >> commands; while :; do sleep 0.05; done"],
            in: directory
        )
        #expect(try await eventually { self.directory.lines(of: "commands").count == 1 })
        let first = elect.guardians
        try directory.write("", to: "hang")
        #expect(try await eventually { self.pids.count == 3 })
        let checking = try #require(elect.guardians.first { !first.contains($0) })
        try remove("hang")
        // The command of the second term is younger than the check that hangs.
        let resign = try ElectProcess(
            ["resign", "--provider", provider, "--group", "g", "--stand-down", "100ms"],
            in: directory
        )
        #expect(try await resign.exitCode() == 0)
        #expect(try await eventually { self.directory.lines(of: "commands").count == 2 })
        let command = try #require(directory.lines(of: "commands").last.flatMap { pid_t($0) })
        let (hanging, before) = (pids, checks)
        kill(checking, SIGKILL)
        // The check has failed, and others come after it.
        #expect(try await eventually { self.checks > before + 2 })
        #expect(hanging.allSatisfy { !isAlive($0) })
        #expect(isAlive(command))
        #expect(directory.lines(of: "commands").count == 2)
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func manyGroupsShareOneRunOfTheCheck() async throws {
        let check = "echo >> checks; until [ -e go ]; do sleep 0.01; done"
        let elect = try ElectProcess(
            [
                "campaign", "--provider", provider, "--groups", "50",
                "--health-check", check, "--health-interval", "1h", "--health-timeout", "1m",
            ],
            in: directory
        )
        func lines(of event: String) -> Int {
            elect.standardOutput.split(separator: "\n").count { $0.contains(event) }
        }
        #expect(try await eventually { lines(of: "ready") == 50 && self.checks > 0 })
        try directory.write("", to: "go")
        #expect(try await eventually { lines(of: "acquired") == 50 })
        // Not one each; a group that asked only after the answer to the others has one of its own.
        #expect(checks < 10)
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func whatAHelperPrintsIsNoEvent() async throws {
        let elect = try ElectProcess(
            [
                "campaign", "--provider", provider, "--group", "g", "--health-check",
                "echo well; cat; ls -l /proc/self/fd",
            ],
            in: directory
        )
        #expect(try await eventually { elect.standardOutput.contains("acquired") })
        #expect(elect.standardError.contains("well"))
        #expect(!elect.standardOutput.contains("well"))
        // Standard input, output and error, and the directory that `ls` itself reads: nothing of the store.
        #expect(!elect.standardError.contains("store.db"))
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func anHeirGetsReadyFirst() async throws {
        let first = try ElectCandidate("first", provider: provider, lease: "10s", in: directory)
        #expect(try await eventually { first.leads })
        let script = "[ -e ready ] || exit 3; echo $ELECT_GROUP,$ELECT_CANDIDATE >> prepared"
        let heir = try ElectCandidate(
            "heir",
            provider: provider,
            lease: "10s",
            in: directory,
            options: ["--prepare", script]
        )
        let transfer = ["transfer", "--provider", provider, "--group", "g", "--to", "heir"]
        // One that is not listed yet is no heir.
        #expect(
            try await eventually { heir.lines.contains { $0.event == "changed" } }
        )
        var refused: ElectProcess?
        #expect(
            try await eventually {
                if refused?.isRunning != true { refused = try? ElectProcess(transfer, in: self.directory) }
                return heir.process.standardError.contains("--prepare failed: it ended with 3")
            }
        )
        #expect(first.leads)
        #expect(try await refused?.exitCode() == 1)
        #expect(refused?.standardError.contains("tried to get ready") == true)
        #expect(first.leads && first.terms.count == 1)
        try directory.write("", to: "ready")
        let moved = try ElectProcess(transfer, in: directory)
        #expect(try await moved.exitCode() == 0, "\(moved.standardError)")
        #expect(try await eventually { heir.leads })
        #expect(directory.lines(of: "prepared") == ["g,heir"])
        #expect([first, heir].violations.isEmpty)
        for candidate in [first, heir] { candidate.terminate() }
        for candidate in [first, heir] { #expect(try await candidate.process.exitCode() == 0) }
    }

    @Test(
        arguments: [
            (["--health-interval", "1s"], "--health-interval means nothing without --health-check"),
            (["--health-check", " "], "--health-check: there is no command"),
            (["--health-check", "true", "--health-timeout", "1ms"], "timeout"),
            (["--health-check", "true", "--health-failure-threshold", "0"], "--health-failure-threshold: \"0\""),
            (["--prepare", ""], "--prepare: there is no command"),
        ]
    )
    func whatCannotBeMeantIsRefused(options: [String], complaint: String) async throws {
        for command in [["campaign"], ["run"]] {
            let elect = try ElectProcess(
                command + ["--provider", provider, "--group", "g"] + options
                    + (command == ["run"] ? ["--", "true"] : []),
                in: directory
            )
            #expect(try await elect.exitCode() == 64)
            #expect(elect.standardError.contains(complaint), "\(elect.standardError)")
        }
    }
}
