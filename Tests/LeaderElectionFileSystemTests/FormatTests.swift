// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionFileSystem

@Suite struct FormatTests {
    @Test(arguments: [
        ("billing", "billing"), ("a/b", "a%2Fb"), ("..", "%2E."), (".hidden", "%2Ehidden"), ("a.b", "a.b"),
        ("100%", "100%25"), ("é", "é"), ("a b", "a b"), ("x.lock", "x.lock"),
    ])
    func aGroupHasOneReadableFileName(name: String, file: String) throws {
        let group = try ElectionGroup(name)
        #expect(GroupFileName.escape(group) == file)
        #expect(GroupFileName.group(ofFile: file + ".lock", suffix: ".lock") == group)
    }

    @Test(arguments: [
        "billing", ".new-1f.lock", "a%2fb.lock", "a%.lock", "a%2.lock", "%61.lock", ".lock", "%2Fx.state",
    ])
    func aFileOfNobodyIsNoGroup(file: String) {
        #expect(GroupFileName.group(ofFile: file, suffix: ".lock") == nil)
    }

    @Test func aNameThatBecomesTooLongIsRefused() throws {
        let provider = try FileSystemElectionProvider(directory: "/tmp")
        try provider.validate(ElectionGroup(String(repeating: "a", count: 200)), leaseDuration: .seconds(1))
        let error = #expect(throws: ElectionError.self) {
            try provider.validate(ElectionGroup(String(repeating: "/", count: 81)), leaseDuration: .seconds(1))
        }
        #expect(error?.code == .invalidGroup)
        #expect(error?.message.contains("243") == true)
    }

    @Test func aLeaseThatIsTooShortIsRefused() throws {
        let provider = try FileSystemElectionProvider(directory: "/tmp")
        let error = #expect(throws: ElectionError.self) {
            try provider.validate(ElectionGroup("g"), leaseDuration: .milliseconds(999))
        }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test(arguments: ["", "a\0b", String(repeating: "x", count: 4000)])
    func anImpossibleDirectoryIsRefused(path: String) {
        #expect(throws: ElectionError.self) { try FileSystemElectionProvider(directory: path) }
    }

    private var record: StateRecord {
        StateRecord(
            term: 7,
            nonce: Nonce(high: 1, low: 2),
            holder: Candidate(id: "host\n1=%", incarnation: Nonce(high: 3, low: 4), metadata: ["k=": "v\n", "é": ""]),
            leaseDuration: .milliseconds(1500),
            lockInode: 99
        )
    }

    @Test func aRecordIsReadAsItWasWritten() throws {
        #expect(try StateRecord(parsing: record.bytes) == record)
        var released = record
        released.isReleased = true
        #expect(try StateRecord(parsing: released.bytes) == released)
    }

    @Test func oneByteTurnsAHeldRecordIntoAReleasedOne() throws {
        var bytes = record.bytes
        bytes[StateRecord.releasedOffset] = UInt8(ascii: "1")
        var released = record
        released.isReleased = true
        #expect(bytes == released.bytes)
    }

    @Test func everyTruncationAndEveryChangedByteIsNoticed() {
        let bytes = record.bytes
        for length in 0..<bytes.count {
            #expect(throws: StateRecord.Malformed.self) { try StateRecord(parsing: Array(bytes.prefix(length))) }
        }
        for offset in bytes.indices where offset != StateRecord.releasedOffset {
            for change: UInt8 in [1, 2, 4, 8, 16, 32, 64, 128] {
                var changed = bytes
                changed[offset] ^= change
                #expect(throws: StateRecord.Malformed.self) { try StateRecord(parsing: changed) }
            }
        }
        #expect(throws: StateRecord.Malformed.self) { try StateRecord(parsing: bytes + [10]) }
    }

    @Test(arguments: [
        (UInt32(0xef53), FileSystemKind.local("ext4")), (0x0102_1994, .local("tmpfs")), (0x794c_7630, .overlay),
        (0x6969, .network("nfs")), (0xff53_4d42, .network("cifs")), (0xfe53_4d42, .network("smb2")),
        (0x6573_5546, .network("fuse")), (0x0102_1997, .network("9p")), (0x1234, .local("0x1234")),
    ])
    func theKindOfAFileSystemFollowsFromItsNumber(magic: UInt32, kind: FileSystemKind) {
        #expect(FileSystemKind(magic: magic) == kind)
    }

    @Test func theKindOfAMissingDirectoryIsAnError() {
        #expect(throws: FileError.self) { try FileSystemKind.of("/nowhere/at/all") }
    }

    @Test func theClockDomainStaysTheSame() {
        #expect(ClockDomain.current != nil)
        #expect(ClockDomain.current == ClockDomain.current)
    }
}
