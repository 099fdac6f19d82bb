// SPDX-License-Identifier: MIT

internal import CElectionSystem
internal import ElectionFiles
internal import Testing

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

@Suite struct FileLockTests {
    let directory: TemporaryDirectory
    var path: String { directory.file("l") }

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func attempt() throws -> String {
        switch try FileLock.attempt(path: path) {
        case .won(_, let created): created ? "created" : "won"
        case .held: "held"
        case .probed: "probed"
        }
    }

    @Test func whoMadeTheFileIsTold() throws {
        #expect(try attempt() == "created")
        #expect(try attempt() == "won")
    }

    @Test func aHeldLockExcludesUntilItIsReleasedOrLetGo() throws {
        guard case .won(let lock, _) = try FileLock.attempt(path: path) else { throw TestFailure(text: "not won") }
        #expect(try attempt() == "held")
        #expect(try FileLock.isHeld(path: path))
        try lock.arm()
        #expect(try attempt() == "held")
        #expect(try lock.isIntact())
        lock.release()
        lock.release()
        #expect(try !lock.isIntact())
        #expect(try !FileLock.isHeld(path: path))
        #expect(try attempt() == "won")
        #expect(try attempt() == "won")
    }

    @Test func aReaderThatLooksIsNotTakenForAHolder() throws {
        #expect(try attempt() == "created")
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        flock(descriptor, LOCK_SH)
        #expect(try attempt() == "probed")
        #expect(try !FileLock.isHeld(path: path))
        close(descriptor)
        #expect(try attempt() == "won")
    }

    @Test func aMissingFileIsHeldByNobodyAndNotMade() throws {
        #expect(try !FileLock.isHeld(path: path))
        #expect(directory.names.isEmpty)
    }

    @Test func theSentinelIsBelowTheLockSoThatTheKernelFreesTheLockFirst() throws {
        guard case .won(let lock, _) = try FileLock.attempt(path: path) else { throw TestFailure(text: "not won") }
        try lock.arm()
        let descriptors = lock.descriptorsToShare()
        #expect(descriptors.count == 2)
        #expect(descriptors[0] > descriptors[1])
        #expect(fcntl(descriptors[0], F_GETFL) & O_ACCMODE == O_RDONLY)
        #expect(fcntl(descriptors[1], F_GETFL) & O_ACCMODE == O_RDWR)
    }

    @Test func aFileThatWasReplacedIsNotArmed() throws {
        guard case .won(let lock, _) = try FileLock.attempt(path: path) else { throw TestFailure(text: "not won") }
        try replaceFile(named: "l", in: directory.path, with: [], temporaryName: "t")
        #expect(try !lock.isIntact())
        let error = #expect(throws: FileError.self) { try lock.arm() }
        #expect(error?.code == ESTALE)
    }

    @Test func aReplacementThatFailsLeavesNothingAndTheOldBytes() throws {
        mkdir(directory.file("d"), 0o700)
        mkdir(directory.file("d/inner"), 0o700)
        #expect(throws: FileError.self) {
            try replaceFile(named: "d", in: directory.path, with: [1], temporaryName: "t")
        }
        #expect(directory.names == ["d"])
        #expect(throws: FileError.self) { try readFile(directory.file("d"), atMost: 10) }
    }

    @Test func aFileThatIsTooLargeIsNotRead() throws {
        try replaceFile(named: "l", in: directory.path, with: [1, 2, 3], temporaryName: "t")
        #expect(try readFile(path, atMost: 3) == [1, 2, 3])
        #expect(throws: FileError.self) { try readFile(path, atMost: 2) }
        #expect(try readFile(directory.file("nothing"), atMost: 2) == nil)
    }
}
