// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Synchronization

/// Calls when the file of options may have another content, whichever way it was written.
///
/// It is the directory that is watched: editors put another file in the place of the old one, and Kubernetes sets a
/// symbolic link beside it (`..data`) that the file's own path leads through.
final class SettingsWatch: Sendable {
    /// Several events belong to one change.
    private static let patience = Duration.milliseconds(100)

    private let watcher: DirectoryWatcher

    /// - Parameters:
    ///   - ended: told why nothing will be seen any more.
    ///   - changed: called on a thread of its own, once for events that follow one another closely.
    /// - Throws: what keeps the directory from being watched.
    init(
        _ path: String,
        ended: @escaping @Sendable () -> Void,
        changed: @escaping @Sendable () -> Void
    ) throws(FileError) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let due = Mutex<ElectionInstant?>(nil)
        watcher = try DirectoryWatcher(
            directory: directory,
            interest: [.closedAfterWriting, .createdOrMovedIn],
            idle: { isEnding in
                guard !isEnding, let left = due.withLock({ $0.map { $0 - ElectionInstant.now } }) else { return -1 }
                guard left <= .zero else { return Int32(clamping: left.wholeNanoseconds / 1_000_000 + 1) }
                due.withLock { $0 = nil }
                changed()
                return -1
            },
            receive: { event in
                switch event {
                case .closedAfterWriting(let seen), .createdOrMovedIn(let seen):
                    guard seen == name || seen.hasPrefix("..") else { return }
                case .touched, .deletedOrMovedAway, .fileModified: return
                case .overflow: break
                case .directoryGone: return ended()
                }
                due.withLock { $0 = .now + Self.patience }
            }
        )
    }
}
