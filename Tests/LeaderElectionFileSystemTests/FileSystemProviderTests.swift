// SPDX-License-Identifier: MIT

internal import CElectionSystem
internal import ElectionFiles
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionFileSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

@Suite(.timeLimit(.minutes(2))) struct FileSystemProviderTests {
    let directory: TemporaryDirectory
    let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("g")
    }

    @Test func theSecondCandidateSeesTheWholeRecordOfTheFirst() async throws {
        let (first, second) = (try Contender(directory.path), try Contender(directory.path))
        let term = try await first.acquire(group, lease: .milliseconds(2500)).granted()
        let record = try #require(try await second.acquire(group).record)
        #expect(record == LeaseRecord(term: term, holder: first.candidate, leaseDuration: .milliseconds(2500)))
        #expect(try await second.holder(group).record == record)
    }

    @Test func twoCandidatesOfOneProviderExcludeEachOther() async throws {
        let contender = try Contender(directory.path)
        _ = try await contender.acquire(group).granted()
        #expect(try await contender.acquire(group).record != nil)
    }

    @Test func aRepeatedRequestKeepsItsTerm() async throws {
        let contender = try Contender(directory.path)
        let nonce = Nonce()
        let term = try await contender.acquire(group, nonce).granted()
        #expect(try await contender.acquire(group, nonce).term == term)
    }

    @Test func anOwnEarlierLeaseIsReplacedUnderALargerTerm() async throws {
        let contender = try Contender(directory.path)
        let (old, new) = (Nonce(), Nonce())
        let term = try await contender.acquire(group, old).granted()
        let next = try await contender.acquire(group, new, previous: old).granted()
        #expect(next > term)
        #expect(try await contender.renew(group, old, term).isLost)
        #expect(try await contender.renew(group, new, next).isRenewed)
        #expect(try await contender.release(group, old, term).isNotHeld)
        #expect(try await contender.release(group, new, nil).isReleased)
    }

    @Test func termsGrowAcrossReleaseAndNewProviders() async throws {
        var last: Int64 = 0
        for _ in 0..<20 {
            let (contender, nonce) = (try Contender(directory.path), Nonce())
            let term = try await contender.acquire(group, nonce).granted()
            #expect(term > last)
            last = term
            #expect(try await contender.release(group, nonce, term).isReleased)
            #expect(try await contender.holder(group).isFree)
        }
    }

    @Test func theTermContinuesAboveAnEarlierOneThatIsAheadOfTheClock() async throws {
        let (contender, nonce) = (try Contender(directory.path), Nonce())
        let term = try await contender.acquire(group, nonce).granted()
        _ = try await contender.release(group, nonce, term)
        // A year ahead, as a machine with a wrong clock would have left it.
        try await rewriteTerm(to: term + 31_536_000_000)
        #expect(try await contender.acquire(group).term == term + 31_536_000_001)
    }

    private func rewriteTerm(to term: Int64) async throws {
        let bytes = try #require(try readFile(directory.file("g.state"), atMost: StateSlots.maximumLength))
        var record = try StateSlots(parsing: bytes).record
        record.term = term
        let file = StateSlots.newFile(with: record.bytes)
        try replaceFile(named: "g.state", in: directory.path, with: file, temporaryName: "t")
    }

    @Test func theTermGrowsAfterAllFilesWereDeleted() async throws {
        let (contender, nonce) = (try Contender(directory.path), Nonce())
        let term = try await contender.acquire(group, nonce).granted()
        _ = try await contender.release(group, nonce, term)
        // Terms are milliseconds: two grants within one need the state file to differ.
        let wall = SystemClock().wallNanoseconds
        #expect(await eventually { SystemClock().wallNanoseconds > wall + 1_000_000 })
        TemporaryDirectory.remove(directory.path)
        #expect(try await contender.acquire(group).granted() > term)
    }

    @Test func lettingGoOfAProviderFreesItsGroups() async throws {
        let second = try Contender(directory.path)
        do {
            let first = try Contender(directory.path)
            _ = try await first.acquire(group).granted()
            #expect(try await second.acquire(group).record != nil)
        }
        var answer = try await second.acquire(group)
        let deadline = ContinuousClock.now + .seconds(20)
        while answer.term == nil, .now < deadline { answer = try await second.acquire(group) }
        #expect(answer.term != nil)
    }

    @Test func manyContendersHaveOneWinner() async throws {
        let directory = directory.path
        let group = group
        let winners = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for _ in 0..<16 {
                tasks.addTask {
                    let contender = try Contender(directory)
                    var terms: [Int64] = []
                    for _ in 0..<50 {
                        let nonce = Nonce()
                        guard let term = try await contender.acquire(group, nonce).term else { continue }
                        terms.append(term)
                        guard try await contender.renew(group, nonce, term).isRenewed,
                            try await contender.release(group, nonce, term).isReleased
                        else { throw TestFailure(text: "a lease was lost") }
                    }
                    guard terms == terms.sorted(), Set(terms).count == terms.count else {
                        throw TestFailure(text: "terms went back: \(terms)")
                    }
                    return terms.count
                }
            }
            return try await tasks.reduce(0, +)
        }
        #expect(winners > 0)
    }

    @Test func failedAttemptsLeaveNoDescriptors() async throws {
        let (first, second) = (try Contender(directory.path), try Contender(directory.path))
        _ = try await first.acquire(group).granted()
        #expect(descriptors(containing: directory.path) == 2)
        for _ in 0..<100 { _ = try await second.acquire(group) }
        for _ in 0..<100 { _ = try await second.holder(group) }
        #expect(descriptors(containing: directory.path) == 2)
    }

    @Test func theDescriptorsOfALeaseAreKnownAndCloseOnExec() async throws {
        let (contender, nonce) = (try Contender(directory.path), Nonce())
        #expect(contender.provider.heldDescriptors(for: group).isEmpty)
        let term = try await contender.acquire(group, nonce).granted()
        let descriptors = contender.provider.heldDescriptors(for: group)
        #expect(descriptors.count == 2)
        for descriptor in descriptors { #expect(fcntl(descriptor, F_GETFD) == FD_CLOEXEC) }
        _ = try await contender.release(group, nonce, term)
        #expect(contender.provider.heldDescriptors(for: group).isEmpty)
    }

    @Test func aBatchAnswersEachGroupForItself() async throws {
        let contender = try Contender(directory.path)
        let groups = try ["a", "b", "c"].map { try ElectionGroup($0) }
        mkdir(directory.file("b.lock"), 0o700)
        let answers = try await contender.provider.acquire(
            groups.map {
                AcquireRequest(
                    group: $0,
                    candidate: contender.candidate,
                    nonce: Nonce(),
                    leaseDuration: .seconds(10),
                    timeout: .seconds(1)
                )
            }
        )
        #expect(answers.map { $0.term != nil } == [true, false, true])
        #expect(answers[1].error?.code == .storeRefused)
        #expect(answers[1].error?.group == "b")
    }
}
