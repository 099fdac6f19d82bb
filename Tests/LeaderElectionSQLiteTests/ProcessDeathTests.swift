// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import Foundation
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionSQLite

@Suite(.timeLimit(.minutes(1)))
struct ProcessDeathTests {
    private let directory: TemporaryDirectory
    private let clock = StoppedClock()
    private let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("orders")
    }

    /// A process that holds the lock of a file as a provider in it would, until it is killed.
    private final class Holder {
        let name = "election.db-alive-\(Nonce())"
        private let process = Process()
        private let input = Pipe()

        init(in directory: TemporaryDirectory) throws {
            let output = Pipe()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "exec 9<>\"$1\" && flock 9 && echo ready && exec cat >/dev/null", "sh"]
            process.arguments?.append(directory.path + "/" + name)
            process.standardInput = input
            process.standardOutput = output
            try process.run()
            #expect(try output.fileHandleForReading.read(upToCount: 5) == Data("ready".utf8))
        }

        deinit { kill() }

        func kill() {
            guard process.isRunning else { return }
            _ = Foundation.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        func stop() { _ = Foundation.kill(process.processIdentifier, SIGSTOP) }
    }

    /// Makes the process in the other the one that holds all leases of the first.
    private func giveLeases(of contender: Contender, to name: String) async throws {
        try await contender.provider.store.execute("UPDATE leader_election_lease SET process_lock = '\(name)'")
    }

    @Test func theDeathOfTheHoldersProcessEndsItsLeasesAtOnce() async throws {
        let others = try (0..<20).map { try ElectionGroup("group \($0)") }
        let leader = Contender("leader", try directory.provider(clock: clock))
        let term = try #require(try await leader.acquire(group).term)
        for other in others { #expect(try await leader.acquire(other).term != nil) }
        let process = try Holder(in: directory)
        try await giveLeases(of: leader, to: process.name)

        let waiting = Contender("waiting", try directory.provider(clock: clock))
        #expect(try await waiting.acquire(group).record?.remaining == .lease)
        var hints = await Hints(of: waiting.provider)
        process.kill()
        #expect(await hints.next() == .changed(group))
        // The hint may come a moment before the kernel frees the lock.
        var next: Int64?
        while next == nil { next = try await waiting.acquire(group).term }
        #expect(next ?? 0 > term)
        // One proof is enough for all leases of the process; then nothing names its file any more.
        #expect(!directory.names.contains(process.name))
        let late = Contender("late", try directory.provider(clock: clock))
        for other in others { #expect(try await late.acquire(other).term != nil) }
    }

    @Test func aStoppedProcessKeepsItsLeaseUntilItRunsOut() async throws {
        let leader = Contender("leader", try directory.provider(clock: clock))
        let term = try #require(try await leader.acquire(group).term)
        let process = try Holder(in: directory)
        try await giveLeases(of: leader, to: process.name)
        process.stop()
        let waiting = Contender("waiting", try directory.provider(clock: clock))
        #expect(try await waiting.acquire(group).record != nil)
        clock.advance(by: .lease)
        #expect(try await waiting.acquire(group).term ?? 0 > term)
        #expect(try await leader.renew(group, term: term).isLost)
    }

    /// Names that prove nothing, whatever the table says.
    @Test(arguments: [
        "election.db-alive-00000000000000000000000000000000", "election.db", "election.db-wal", "../x", "",
        "election.db-alive-../../../../../../../../etc/pass",
    ])
    func aMissingOrForeignFileProvesNothing(_ name: String) async throws {
        let leader = Contender("leader", try directory.provider(clock: clock))
        #expect(try await leader.acquire(group).term != nil)
        try await giveLeases(of: leader, to: name)
        let waiting = Contender("waiting", try directory.provider(clock: clock))
        #expect(try await waiting.acquire(group).record != nil)
    }

    @Test func aLivingHolderInTheSameProcessIsNotTakenForDead() async throws {
        let leader = Contender("leader", try directory.provider(clock: clock))
        #expect(try await leader.acquire(group).term != nil)
        #expect(try await Contender("same", leader.provider).acquire(group).record != nil)
        #expect(try await Contender("other", try directory.provider(clock: clock)).acquire(group).record != nil)
    }

    @Test func aProviderThatIsLetGoKeepsAnUnreleasedLeaseRunning() async throws {
        func leadAndGo() async throws -> SerialThread {
            let leader = Contender("leader", try directory.provider(clock: clock))
            #expect(try await leader.acquire(group).term != nil)
            return leader.provider.store.thread
        }
        await finish(try await leadAndGo())
        #expect(directory.processFiles.isEmpty)
        let waiting = Contender("waiting", try directory.provider(clock: clock))
        #expect(try await waiting.acquire(group).record != nil)
    }

    @Test func filesOfProcessesThatEndedAreRemoved() async throws {
        let process = try Holder(in: directory)
        let living = try Holder(in: directory)
        process.kill()
        let contender = Contender("a", try directory.provider(clock: clock))
        // The database is new, but a living process may have used one before it.
        guard case .deferred(let wait, _) = try await contender.acquire(group) else {
            Issue.record("a new database beside a living process grants at once")
            return
        }
        clock.advance(by: wait)
        #expect(try await contender.acquire(group).term != nil)
        #expect(!directory.names.contains(process.name))
        #expect(directory.names.contains(living.name))
    }

    @Test func withoutDetectionTheDeathOfAProcessIsNotNoticed() async throws {
        let leader = Contender("leader", try directory.provider(clock: clock, detectProcessDeath: false))
        #expect(try await leader.acquire(group).term != nil)
        #expect(leader.provider.heldDescriptors(for: group).isEmpty)
        let process = try Holder(in: directory)
        try await giveLeases(of: leader, to: process.name)
        process.kill()
        let waiting = Contender("waiting", try directory.provider(clock: clock, detectProcessDeath: false))
        #expect(try await waiting.acquire(group).record != nil)
    }

    @Test func aChildThatInheritsTheDescriptorsKeepsTheLease() async throws {
        let leader = Contender("leader", try directory.provider(clock: clock))
        #expect(leader.provider.heldDescriptors(for: group).isEmpty)
        #expect(try await leader.acquire(group).term != nil)
        let descriptors = leader.provider.heldDescriptors(for: group)
        let name = try #require(directory.processFiles.first)
        #expect(!descriptors.isEmpty)
        for descriptor in descriptors {
            let identity = try FileIdentity(descriptor: descriptor, path: name)
            #expect(identity == (try FileIdentity(path: directory.path + "/" + name)))
        }
    }
}
#endif
