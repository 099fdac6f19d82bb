// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionFileSystem

@Suite(.timeLimit(.minutes(2))) struct StateSlotsTests {
    let directory: TemporaryDirectory
    let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("g")
    }

    private func record(_ term: Int64, padding: Int = 0) -> StateRecord {
        StateRecord(
            term: term,
            nonce: Nonce(high: 1, low: 2),
            holder: Candidate(
                id: String(repeating: "x", count: padding + 1),
                incarnation: Nonce(high: 3, low: 4),
                metadata: [:]
            ),
            leaseDuration: .seconds(1),
            lockInode: 9
        )
    }

    /// The bytes of a file after these terms.
    private func file(_ terms: Int64...) throws -> [UInt8] {
        var bytes = StateSlots.newFile(with: record(terms[0]).bytes)
        for term in terms.dropFirst() { try write(record(term), to: &bytes) }
        return bytes
    }

    private func write(_ record: StateRecord, to bytes: inout [UInt8]) throws {
        let (slot, offset) = try #require(try StateSlots(parsing: bytes).writing(record.bytes))
        bytes.replaceSubrange(offset..<(offset + slot.count), with: slot)
    }

    private func readState() throws -> [UInt8] {
        try #require(try readFile(directory.file("g.state"), atMost: StateSlots.maximumLength))
    }

    private func put(_ bytes: [UInt8]) throws {
        try replaceFile(named: "g.state", in: directory.path, with: bytes, temporaryName: "t")
    }

    @Test func theSlotsAreWrittenInTurnAndTheLargerTermCounts() throws {
        var bytes = try file(1)
        #expect(try StateSlots(parsing: bytes).isNew)
        for term in Int64(2)...9 {
            let before = bytes
            try write(record(term), to: &bytes)
            let slots = try StateSlots(parsing: bytes)
            #expect(slots.record == record(term))
            #expect(!slots.hasDamage && !slots.isNew)
            // The last term stays where it was.
            let half = bytes.count / 2
            #expect((before.prefix(half) == bytes.prefix(half)) == term.isMultiple(of: 2))
            #expect((before.suffix(half) == bytes.suffix(half)) == !term.isMultiple(of: 2))
        }
    }

    @Test func aWriteThatIsTornAnywhereLeavesTheLastTermOrTheNewOne() throws {
        let old = try file(1, 2, 3)
        let (slot, offset) = try #require(try StateSlots(parsing: old).writing(record(4).bytes))
        let length = record(4).bytes.count
        for count in 0...length {
            var torn = old
            torn.replaceSubrange(offset..<(offset + count), with: slot.prefix(count))
            let term = try StateSlots(parsing: torn).record.term
            #expect(term == (torn == old.prefix(offset) + slot + old.suffix(old.count - offset - slot.count) ? 4 : 3))
        }
    }

    @Test func releasingChangesTheSlotThatCounts() throws {
        for terms in [try file(1), try file(1, 2), try file(1, 2, 3)] {
            var bytes = terms
            let slots = try StateSlots(parsing: bytes)
            bytes[slots.releasedOffset] = UInt8(ascii: "1")
            var expected = slots.record
            expected.isReleased = true
            #expect(try StateSlots(parsing: bytes).record == expected)
        }
    }

    @Test func aRecordThatOutgrowsItsSlotNeedsANewFile() throws {
        let slots = try StateSlots(parsing: try file(1))
        let large = record(2, padding: 5_000)
        #expect(slots.writing(large.bytes) == nil)
        let bytes = StateSlots.newFile(with: large.bytes)
        #expect(bytes.count <= StateSlots.maximumLength)
        #expect(try StateSlots(parsing: bytes).record == large)
        #expect(try StateSlots(parsing: bytes).writing(large.bytes) != nil)
    }

    @Test func aDamagedNewestSlotIsFollowedByALargerTermAllTheSame() async throws {
        let contender = try Contender(directory.path)
        var term: Int64 = 0
        for _ in 0..<2 {
            let nonce = Nonce()
            term = try await contender.acquire(group, nonce).granted()
            _ = try await contender.release(group, nonce, term)
        }
        var bytes = try readState()
        bytes[try StateSlots(parsing: bytes).releasedOffset + 20] ^= 1
        try put(bytes)
        #expect(try StateSlots(parsing: bytes).record.term < term)
        // Terms are milliseconds: only within one of them could the lost term come again.
        let wall = SystemClock().wallNanoseconds
        #expect(await eventually { SystemClock().wallNanoseconds > wall + 1_000_000 })
        #expect(try await contender.acquire(group).granted() > term)
        #expect(try !StateSlots(parsing: try readState()).hasDamage)
    }

    @Test func twoDamagedSlotsAreReportedAndLeftAlone() async throws {
        var bytes = try file(1, 2)
        bytes[30] ^= 1
        bytes[bytes.count / 2 + 30] ^= 1
        try put(bytes)
        let contender = try Contender(directory.path)
        #expect(try await contender.acquire(group).error?.code == .storeCorrupted)
        #expect(try await contender.holder(group).error?.code == .storeCorrupted)
        #expect(try readState() == bytes)
    }

    @Test func termsAreWrittenInPlace() async throws {
        let contender = try Contender(directory.path)
        var inodes: Set<UInt64> = []
        for _ in 0..<5 {
            let nonce = Nonce()
            let term = try await contender.acquire(group, nonce).granted()
            inodes.insert(try #require(try FileIdentity(path: directory.file("g.state"))).inode)
            _ = try await contender.release(group, nonce, term)
        }
        #expect(inodes.count == 1)
        #expect(descriptors(containing: directory.path) == 0)
    }

    @Test func readersNeverSeeAnErrorOrATermGoBackWhileTermsAreWritten() async throws {
        let writer = try Contender(directory.path)
        let reader = try Contender(directory.path)
        let group = group
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for _ in 0..<200 {
                    let nonce = Nonce()
                    guard let term = try await writer.acquire(group, nonce).term else { continue }
                    _ = try await writer.release(group, nonce, term)
                }
            }
            tasks.addTask {
                var last: Int64 = 0
                for _ in 0..<2000 {
                    switch try await reader.holder(group) {
                    case .held(let record):
                        guard record.term >= last else { throw TestFailure(text: "back to \(record.term)") }
                        last = record.term
                    case .free(let term):
                        guard (term ?? 0) >= last else { throw TestFailure(text: "back to \(term ?? 0)") }
                        last = term ?? 0
                    case .unknown(let error): throw error
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }
}
