// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Logging
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The directory that holds the files of all groups: whether it is there, what it is on, and what that means.
final class StoreDirectory: Sendable {
    private struct State {
        var identity: FileIdentity?
        var kind: FileSystemKind?
        var warnings: [String] = []
    }

    let path: String
    let hints = HintChannel()
    /// What notes and reservations are timed by.
    let clock: any ElectionClock
    private let create: Bool
    private let allowNetwork: Bool
    private let logger: Logger?
    private let kindOf: @Sendable (String) throws -> FileSystemKind
    private let state = Mutex(State())

    /// - Parameters:
    ///   - clock: what notes and reservations are timed by; leases are timed by nothing.
    ///   - kindOf: what the path is on; given by tests that have no network file system at hand.
    init(
        path: String,
        create: Bool,
        allowNetwork: Bool,
        logger: Logger?,
        clock: any ElectionClock = .system,
        kindOf: @escaping @Sendable (String) throws -> FileSystemKind = { try FileSystemKind.of($0) }
    ) {
        (self.path, self.create, self.allowNetwork) = (path, create, allowNetwork)
        (self.logger, self.clock, self.kindOf) = (logger, clock, kindOf)
    }

    /// Several machines may be behind it: exclusive locks need a writable descriptor there, and events stay away.
    var isNetwork: Bool {
        state.withLock {
            if case .network = $0.kind { true } else { false }
        }
    }

    /// What works, but deserves a thought; each is logged once as well.
    var warnings: [String] { state.withLock { $0.warnings } }

    func lockPath(_ group: ElectionGroup) -> String {
        path + "/" + GroupFileName.escape(group) + GroupFileName.lockSuffix
    }

    func stateName(_ group: ElectionGroup) -> String { GroupFileName.escape(group) + GroupFileName.stateSuffix }

    func statePath(_ group: ElectionGroup) -> String { path + "/" + stateName(group) }

    func heirName(_ group: ElectionGroup) -> String { GroupFileName.escape(group) + GroupFileName.heirSuffix }

    /// The folder of a group's notes.
    func notesPath(_ group: ElectionGroup) -> String {
        path + "/" + GroupFileName.escape(group) + GroupFileName.notesSuffix
    }

    /// Finds the directory, or makes it, and sees to the watch on it; costs one `stat` when nothing has changed.
    func open() throws(ElectionError) {
        do {
            if try lookUp() { return }
            hints.noteGap()
            if create {
                try makeDirectory(path)
                if try lookUp() { return }
            }
        } catch let error as FileError {
            hints.noteGap()
            throw .file(error)
        } catch {
            throw .wrapping(error)
        }
        throw .file(FileError("open", path, code: ENOENT))
    }

    /// Finds the directory; false if there is none, so that there are no leases either, unless it should be there.
    func openIfPresent() throws(ElectionError) -> Bool {
        do {
            if try lookUp() { return true }
        } catch let error as FileError {
            throw .file(error)
        } catch {
            throw .wrapping(error)
        }
        hints.noteGap()
        if create { return false }
        throw .file(FileError("open", path, code: ENOENT))
    }

    private func lookUp() throws -> Bool {
        guard let identity = try FileIdentity(path: path, followingLink: true) else { return false }
        guard identity.isDirectory else { throw FileError("open", path, code: ENOTDIR) }
        if state.withLock({ $0.identity != identity || $0.kind == nil }) {
            let kind = try kindOf(path)
            state.withLock { ($0.identity, $0.kind) = (identity, kind) }
            judge(kind)
        }
        if case .network(let name) = state.withLock({ $0.kind }) {
            guard allowNetwork else {
                throw ElectionError(
                    .storeUnsuitable,
                    "the directory \(path) is on a network or user-space file system (\(name)), where locks can be lost "
                        + "without notice; use a local directory, or pass allowNetworkFileSystem: true at your own risk"
                )
            }
            return true
        }
        do {
            try hints.ensureWatching(path, identity)
        } catch {
            // Elections go on without: the safety poll finds what the events do not tell.
            warn("hand-over is slower, since the directory cannot be watched: \(error)")
        }
        return true
    }

    private func judge(_ kind: FileSystemKind) {
        switch kind {
        case .local: break
        case .overlay:
            warn(
                "the directory \(path) is in a container's own layer (overlayfs): candidates in other containers do not "
                    + "see it and elect a leader of their own; mount a shared volume there"
            )
        case .network(let name):
            if allowNetwork {
                warn(
                    "the directory \(path) is on \(name): its locks can be lost without notice, so that two candidates "
                        + "may lead at once, and nothing tells of a release"
                )
            }
        }
    }

    private func warn(_ text: String) {
        let isNew = state.withLock { state in
            guard !state.warnings.contains(text), state.warnings.count < 16 else { return false }
            state.warnings.append(text)
            return true
        }
        if isNew { logger?.warning("\(text)") }
    }
}
