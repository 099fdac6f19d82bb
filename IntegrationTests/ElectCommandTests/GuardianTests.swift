// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Whatever happens to `elect`, nothing of its command is left when somebody else leads.
@Suite(.serialized, .timeLimit(.minutes(5))) struct GuardianTests {
    @Test(arguments: Store.allCases)
    func aKilledElectTakesItsCommandAlongBeforeTheNextOneLeads(store: Store) async throws {
        let directory = try Directory()
        let worker = try Worker(directory)
        let first = try worker.elect(store)
        let old = try #require(try await worker.started(1))
        #expect(old.count == Worker.processes)
        let second = try worker.elect(store)
        #expect(try await eventually { second.standardError.contains("leader") })
        first.send(SIGKILL)
        #expect(try await worker.started(2) != nil)
        #expect(worker.overlaps == [])
        #expect(old.allSatisfy { !isAlive($0) })
        second.send(SIGTERM)
        second.send(SIGTERM)
        #expect(try await second.exitCode() == 128 + SIGKILL)
    }

    @Test(arguments: Store.allCases)
    func aStoppedElectLosesItsCommandBeforeItsLeaseEnds(store: Store) async throws {
        let directory = try Directory()
        let worker = try Worker(directory)
        let first = try worker.elect(store)
        let old = try #require(try await worker.started(1))
        let second = try worker.elect(store)
        #expect(try await eventually { second.standardError.contains("leader") })
        first.send(SIGSTOP)
        let stopped = ContinuousClock.now
        #expect(try await eventually(within: 2) { old.allSatisfy { !isAlive($0) } })
        #expect(ContinuousClock.now - stopped < .seconds(2))
        if store == .sqlite {
            #expect(try await worker.started(2) != nil)
        }
        first.send(SIGCONT)
        // The one that was stopped stays a candidate; whoever leads now runs the command.
        #expect(try await worker.started(2) != nil)
        #expect(worker.overlaps == [])
        #expect(first.isRunning)
        for elect in [first, second] {
            elect.send(SIGTERM)
            elect.send(SIGTERM)
        }
        #expect(try await first.exitCode() != nil)
        #expect(try await second.exitCode() != nil)
        #expect(worker.pids.allSatisfy { !isAlive($0) })
    }

    @Test(arguments: Store.allCases)
    func aKilledGuardianCostsTheCommandItsTerm(store: Store) async throws {
        let directory = try Directory()
        let worker = try Worker(directory)
        let elect = try worker.elect(store)
        let old = try #require(try await worker.started(1))
        let guardian = try #require(elect.guardian)
        kill(guardian, SIGKILL)
        #expect(try await worker.started(2) != nil)
        #expect(old.allSatisfy { !isAlive($0) })
        #expect(worker.overlaps == [])
        #expect(Set(worker.terms).count == 2)
        elect.send(SIGTERM)
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 128 + SIGKILL)
    }

    @Test func aStoppedGuardianDoesNotKeepTheCommandAlive() async throws {
        let directory = try Directory()
        let worker = try Worker(directory)
        let elect = try worker.elect(.sqlite, ["--lease-duration", "1s", "--shutdown-timeout", "0s"])
        let old = try #require(try await worker.started(1))
        let guardian = try #require(elect.guardian)
        kill(guardian, SIGSTOP)
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() != nil)
        #expect(old.allSatisfy { !isAlive($0) })
        #expect(!isAlive(guardian))
    }

    @Test func aStopWaitsForTheCommandAndKillsWhatIgnoresIt() async throws {
        let directory = try Directory()
        let worker = try Worker(directory)
        let elect = try worker.elect(.sqlite, ["--lease-duration", "2s", "--shutdown-timeout", "1s"])
        let old = try #require(try await worker.started(1))
        let start = ContinuousClock.now
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 128 + SIGKILL)
        #expect(ContinuousClock.now - start >= .seconds(1))
        #expect(old.allSatisfy { !isAlive($0) })
    }

    @Test func lossWithOnceEndsWith75() async throws {
        let directory = try Directory()
        let worker = try Worker(directory)
        let elect = try worker.elect(.sqlite, ["--once"])
        let old = try #require(try await worker.started(1))
        kill(try #require(elect.guardian), SIGKILL)
        #expect(try await elect.exitCode() == 75)
        #expect(old.allSatisfy { !isAlive($0) })
    }

    @Test func aStoreThatTakesTheLeaseAwayEndsTheCommand() async throws {
        let directory = try Directory()
        let worker = try Worker(directory)
        let elect = try worker.elect(.file, ["--once"])
        let old = try #require(try await worker.started(1))
        // It may be writing there, which a removal does not like.
        let store = directory.url.appending(path: "store")
        #expect(try await eventually { (try? FileManager.default.removeItem(at: store)) != nil })
        #expect(try await elect.exitCode() == 75)
        #expect(old.allSatisfy { !isAlive($0) })
    }

    @Test func whatACommandLeavesBehindEndsWithIt() async throws {
        let directory = try Directory()
        let script =
            "(setsid sh -c 'echo $$ > left; trap \"\" TERM; while :; do sleep 0.1; done' &); "
            + "while [ ! -s left ]; do sleep 0.01; done; exit 5"
        let elect = try ElectProcess(
            ["run", "--provider", "memory:", "--group", "g", "--", "sh", "-c", script],
            in: directory
        )
        #expect(try await elect.exitCode() == 5)
        let left = try #require(directory.lines(of: "left").first.flatMap { pid_t($0) })
        #expect(!isAlive(left))
    }

    @Test func aCommandInheritsNothingOfOurs() async throws {
        let directory = try Directory()
        // What the test process hands down must not be mistaken for something of ours.
        let script = """
            for file in /proc/self/fd/*; do number=${file##*/}; [ $number -gt 2 ] && eval "exec $number>&-"; done
            exec \(ElectProcess.program.path) run --provider \(Store.file.url(in: directory)) --group g -- ls -l /proc/self/fd
            """
        let elect = try ElectProcess(["-c", script], in: directory, program: URL(filePath: "/bin/bash"))
        #expect(try await elect.exitCode() == 0)
        // Standard input, output and error, and the directory that `ls` itself reads.
        let descriptors = elect.standardOutput.split(separator: "\n").filter { $0.contains(" -> ") }
        #expect(descriptors.count == 4, "\(elect.standardOutput)")
    }

    @Test func aCommandStartsWithAllSignalsAtTheirDefault() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            ["run", "--provider", "memory:", "--group", "g", "--", "cat", "/proc/self/status"],
            in: directory
        )
        #expect(try await elect.exitCode() == 0)
        let masks = elect.standardOutput.split(separator: "\n")
            .filter { $0.hasPrefix("SigBlk") || $0.hasPrefix("SigIgn") || $0.hasPrefix("SigCgt") }
            .compactMap { UInt64($0.split(separator: "\t").last ?? "", radix: 16) }
        // Signals 32 and 33 belong to the C library, which lets nobody set them.
        #expect(masks.map { $0 & ~0x1_8000_0000 } == [0, 0, 0])
    }
}
