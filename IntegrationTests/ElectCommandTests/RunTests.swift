// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite(.timeLimit(.minutes(5))) struct RunTests {
    private func run(_ command: [String], _ options: [String] = []) async throws -> (code: Int32?, elect: ElectProcess)
    {
        let directory = try Directory()
        let arguments = ["run", "--provider", "memory:", "--group", "g"] + options + ["--"] + command
        let elect = try ElectProcess(arguments, in: directory)
        let code = try await elect.exitCode()
        _ = elect.standardOutput
        withExtendedLifetime(directory) {}
        return (code, elect)
    }

    @Test(arguments: [0, 1, 7, 255])
    func theExitCodeIsThatOfTheCommand(code: Int32) async throws {
        #expect(try await run(["sh", "-c", "exit \(code)"]).code == code)
    }

    @Test func aCommandEndedByASignalCounts128More() async throws {
        #expect(try await run(["sh", "-c", "kill -USR1 $$"]).code == 128 + SIGUSR1)
    }

    @Test func aMissingCommandIs127AndAnUnusableOne126() async throws {
        #expect(try await run(["no-such-command-anywhere"]).code == 127)
        #expect(try await run(["/no/such/file"]).code == 127)
        #expect(try await run(["/dev/null"]).code == 126)
    }

    @Test func theCommandKnowsItsElection() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            [
                "run", "--provider", "memory:", "--group", "g", "--candidate", "me", "--", "sh", "-c",
                "echo $ELECT_GROUP,$ELECT_CANDIDATE,$ELECT_TERM",
            ],
            in: directory
        )
        #expect(try await elect.exitCode() == 0)
        let fields = elect.standardOutput.split(separator: "\n").first?.split(separator: ",") ?? []
        #expect(fields.prefix(2) == ["g", "me"])
        #expect(fields.last.flatMap { Int64($0) } ?? 0 > 0)
    }

    @Test func aPoliteCommandEndsWithItsOwnCodeOnSIGTERM() async throws {
        let directory = try Directory()
        let script = "trap 'exit 3' TERM; echo up > up; while :; do sleep 0.05; done"
        let elect = try ElectProcess(
            ["run", "--provider", "memory:", "--group", "g", "--", "sh", "-c", script],
            in: directory
        )
        #expect(try await eventually { directory.lines(of: "up") == ["up"] })
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 3)
    }

    @Test func aCandidateThatNeverLedEndsWithTheSignalsCode() async throws {
        let directory = try Directory()
        let url = Store.file.url(in: directory)
        let first = try ElectProcess(["run", "--provider", url, "--group", "g", "--", "sleep", "60"], in: directory)
        #expect(try await eventually { first.standardError.contains("runs as process") })
        let second = try ElectProcess(["run", "--provider", url, "--group", "g", "--", "sleep", "60"], in: directory)
        #expect(try await eventually { second.standardError.contains("changed") })
        second.send(SIGINT)
        #expect(try await second.exitCode() == 128 + SIGINT)
        first.send(SIGTERM)
        #expect(try await first.exitCode() == 128 + SIGTERM)
    }
}
