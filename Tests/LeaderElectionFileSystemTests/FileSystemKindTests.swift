// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionFileSystem

@Suite(.timeLimit(.minutes(2))) struct FileSystemKindTests {
    let directory: TemporaryDirectory
    let group: ElectionGroup

    init() throws {
        directory = try TemporaryDirectory()
        group = try ElectionGroup("g")
    }

    private func contender(on kind: FileSystemKind, allowNetwork: Bool = false) -> Contender {
        let store = StoreDirectory(
            path: directory.path,
            create: true,
            allowNetwork: allowNetwork,
            logger: nil,
            kindOf: { _ in kind }
        )
        return Contender(provider: FileSystemElectionProvider(store))
    }

    @Test func aNetworkFileSystemIsRefusedAndNothingIsWritten() async throws {
        let contender = contender(on: .network("nfs"))
        for _ in 0..<2 {
            let error = await #expect(throws: ElectionError.self) { _ = try await contender.acquire(group) }
            #expect(error?.code == .storeUnsuitable)
            #expect(error?.message.contains("nfs") == true)
        }
        await #expect(throws: ElectionError.self) { _ = try await contender.holder(group) }
        #expect(directory.names.isEmpty)
    }

    @Test func anAllowedNetworkFileSystemWorksWithAWarningAndWithoutPush() async throws {
        let (first, second) = (
            contender(on: .network("nfs"), allowNetwork: true), contender(on: .network("nfs"), allowNetwork: true)
        )
        let hints = Hints(second.provider)
        let witness = try Contender(directory.path)
        let seen = Hints(witness.provider)
        #expect(try await witness.holder(group).isFree)
        let nonce = Nonce()
        let term = try await first.acquire(group, nonce).granted()
        #expect(try await second.acquire(group).record?.term == term)
        #expect(!second.provider.guarantees.pushesRelease && !second.provider.guarantees.pushesCrash)
        #expect(second.provider.warnings.count == 1)
        #expect(try await first.release(group, nonce, term).isReleased)
        #expect(try await second.acquire(group).granted() > term)
        #if os(Linux)
        #expect(await eventually { seen.all.count >= 3 })
        #endif
        #expect(hints.all.isEmpty)
    }

    @Test func aContainersOwnLayerWorksAndWarnsOnce() async throws {
        let contender = contender(on: .overlay)
        for name in ["a", "b", "c"] { _ = try await contender.acquire(ElectionGroup(name)).granted() }
        #expect(contender.provider.warnings.count == 1)
        #expect(contender.provider.warnings.first?.contains("overlayfs") == true)
        #expect(contender.provider.guarantees.pushesRelease)
    }

    @Test func aLocalDirectoryWarnsOfNothing() async throws {
        let contender = contender(on: .local("ext4"))
        _ = try await contender.acquire(group).granted()
        #expect(contender.provider.warnings.isEmpty)
    }

    @Test func theDoctorIsToldWhatTheKindMeans() async throws {
        #expect(FileSystemKind.local("ext4").finding.isFine)
        #expect(!FileSystemKind.overlay.finding.isFine)
        #expect(FileSystemKind.network("nfs").finding.seen.contains("nfs"))
        #expect(!FileSystemKind.network("nfs").finding.isFine)
        // Of a directory that is only made later, what it will be on.
        let provider = try FileSystemElectionProvider(directory: "/proc/none/of/this")
        let findings = try await provider.examine()
        #expect(findings.first?.check == "filesystem")
    }

    #if os(Linux)
    @Test func watchesThatRunOutAreFound() throws {
        #expect(InotifyUse(instancesAllowed: 128, instancesUsed: 3, watchesAllowed: 8192).finding.isFine)
        #expect(!InotifyUse(instancesAllowed: 128, instancesUsed: 125, watchesAllowed: 8192).finding.isFine)
        #expect(!InotifyUse(instancesAllowed: 128, instancesUsed: 3, watchesAllowed: 8).finding.isFine)
        let before = try #require(InotifyUse.now())
        #expect(before.instancesAllowed > 0 && before.watchesAllowed > 0)
        let watchers = try (0..<20).map { _ in
            try DirectoryWatcher(directory: "/", interest: [.createdOrMovedIn]) { _ in }
        }
        // Others come and go meanwhile; not so many of them.
        #expect(try #require(InotifyUse.now()).instancesUsed >= before.instancesUsed + 5)
        withExtendedLifetime(watchers) {}
    }
    #endif
}
