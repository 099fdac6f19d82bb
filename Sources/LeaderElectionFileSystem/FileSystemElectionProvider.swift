// SPDX-License-Identifier: MIT

internal import ElectionFiles
public import LeaderElection
public import Logging

/// Elections among the processes of one machine, over a directory.
///
/// A lease is an exclusive `flock(2)` on the group's lock file, so the kernel itself keeps candidates apart, and frees
/// the group in the moment when its holder's process ends, however it ends. Waiting candidates are woken by inotify and
/// take over within milliseconds, after a release as after a `kill -9`; nothing is polled.
///
/// For each group there is a lock file, which is never deleted, and a state file with the last term and its holder. The
/// term is `max(last + 1, milliseconds since 1970)`: it grows even when the state file is deleted.
///
/// What to know before using it:
/// - The directory must be on a local file system, with permission to read, write, and search it. Network and
///   user-space file systems are refused, since they can lose locks silently. Containers must share the directory as
///   a volume; in a container's own layer each one elects its own leader, which is logged as a warning.
/// - A process that is *stopped* (`SIGSTOP`, a debugger) keeps its lock: nobody takes over until it goes on or ends.
///   Its own ``/LeaderElection/ElectionService`` knows by the clock that its term is over, and continues under a new
///   one.
/// - A child process made by `fork` without `exec` shares its parent's locks until it ends. `exec` closes them.
/// - Deleting or replacing a lock file ends the lease on it: the holder notices within milliseconds, and the next
///   candidate waits for the holder's lease duration first.
///
/// On macOS it works without events: candidates notice a release at their next safety poll.
public final class FileSystemElectionProvider: ElectionProvider, PushingProvider {
    let store: FileSystemStore

    /// Checks the settings only; the directory itself is looked at by each call, so that it may come later.
    ///
    /// - Parameters:
    ///   - directory: Where the files of all groups are. A relative path is taken from the present working directory.
    ///   - createDirectory: Whether a directory that is not there is made, with what is missing above it.
    ///   - allowNetworkFileSystem: Whether to go on where locks may be lost silently, and without events.
    ///   - logger: Told once about each thing that works but is doubtful.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a path that no file system allows.
    public convenience init(
        directory: String,
        createDirectory: Bool = true,
        allowNetworkFileSystem: Bool = false,
        logger: Logger? = nil
    ) throws {
        guard (1...3_800).contains(directory.utf8.count), !directory.utf8.contains(0) else {
            throw ElectionError(
                .invalidConfiguration,
                "the directory has \(directory.utf8.count) bytes, or holds a zero byte; use 1 to 3800 bytes without"
            )
        }
        let path: String
        do {
            path = try absolutePath(directory)
        } catch {
            throw ElectionError.file(error)
        }
        let store = StoreDirectory(
            path: path,
            create: createDirectory,
            allowNetwork: allowNetworkFileSystem,
            logger: logger
        )
        self.init(store)
    }

    init(_ directory: StoreDirectory) {
        store = FileSystemStore(directory: directory)
    }

    /// One kernel's promise: exclusion without any clock, and word of a release or a crash in milliseconds.
    public var guarantees: ProviderGuarantees {
        let isWatched = !store.directory.isNetwork
        return ProviderGuarantees(
            exclusion: .durableAuthority,
            expiry: .kernelOwned,
            termSource: "state file: max(last + 1, milliseconds)",
            pushesRelease: isWatched,
            pushesCrash: isWatched,
            minimumLeaseDuration: .seconds(1),
            maximumBatch: 256,
            hintsPrecedeRelease: true
        )
    }

    /// Refuses a lease below one second, and a group whose file name would be longer than 240 bytes.
    public func validate(_ group: ElectionGroup, leaseDuration: Duration) throws {
        let length = GroupFileName.escape(group).utf8.count
        guard length <= GroupFileName.maximumLength else {
            throw ElectionError(
                .invalidGroup,
                "as a file name the group needs \(length) bytes, since \"/\" and \"%\" take three each; "
                    + "at most \(GroupFileName.maximumLength) are possible",
                group: group.name
            )
        }
        guard leaseDuration >= guarantees.minimumLeaseDuration else {
            throw ElectionError(
                .invalidConfiguration,
                "leaseDuration \(leaseDuration.text()) is shorter than this store allows; "
                    + "use at least \(guarantees.minimumLeaseDuration.text())",
                group: group.name
            )
        }
    }

    /// Tries each lock without waiting, and writes the new term to the disk before answering.
    ///
    /// - Throws: ``/LeaderElection/ElectionError`` when the directory is missing, refused, or unsuitable.
    public func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        try await store.acquire(requests)
    }

    /// Compares each lock with the file that its path leads to now: two system calls a group.
    public func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        await store.renew(requests)
    }

    /// Frees each lock at once; nothing is waited for, not even a full disk.
    ///
    /// Of many who wait for a single one two hear of it first, and the others 5 ms later.
    public func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        await store.release(requests)
    }

    /// Reads each state file, and looks whether the lock is really held.
    ///
    /// - Throws: ``/LeaderElection/ElectionError`` when the directory is refused or unsuitable, or missing and not to be
    ///   made.
    public func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        try await store.holders(of: groups)
    }

    /// Tells of locks that end, of new terms, and of lock files that are deleted.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let subscription = store.directory.hints.subscribe(receive)
        store.prepare()
        return subscription
    }

    /// What was found doubtful so far, each in one sentence.
    package var warnings: [String] { store.directory.warnings }

    /// Tries the directory as a candidate would, without taking part in any election.
    ///
    /// - Throws: what keeps candidates from being elected there.
    package func check() async throws {
        try await store.check()
    }
}

extension FileSystemElectionProvider: KernelHeldLeases {
    package func heldDescriptors(for group: ElectionGroup) -> [Int32] {
        store.heldLock(for: group)?.descriptorsToShare() ?? []
    }
}

extension ElectionProvider where Self == FileSystemElectionProvider {
    /// Elections among the processes of one machine, over a directory; see ``FileSystemElectionProvider``.
    ///
    /// - Parameters:
    ///   - directory: Where the files of all groups are; made at first use unless `createDirectory` is false.
    ///   - createDirectory: Whether a directory that is not there is made, with what is missing above it.
    ///   - allowNetworkFileSystem: Whether to go on where locks may be lost silently, and without events.
    ///   - logger: Told once about each thing that works but is doubtful.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a path that no file system allows.
    public static func fileSystem(
        directory: String,
        createDirectory: Bool = true,
        allowNetworkFileSystem: Bool = false,
        logger: Logger? = nil
    ) throws -> FileSystemElectionProvider {
        try FileSystemElectionProvider(
            directory: directory,
            createDirectory: createDirectory,
            allowNetworkFileSystem: allowNetworkFileSystem,
            logger: logger
        )
    }
}
