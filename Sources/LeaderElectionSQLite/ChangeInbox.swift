// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import LeaderElection
internal import Synchronization

/// What happened in the database's directory and was not looked into yet; bursts become one look.
final class ChangeInbox: Sendable {
    /// Everything since the last look.
    struct Content {
        /// Something was committed.
        var mustRead = false
        /// A file of the database was removed or replaced.
        var mustVerify = false
        /// Events were lost; with `isDirectoryGone`, none follow either.
        var mustResync = false
        var isDirectoryGone = false
        /// Files of processes that may have ended.
        var endedProcesses: Set<String> = []
    }

    private struct State {
        var content = Content()
        var isLookDue = false
        var isDelayedReadDue = false
        var ignoredFile: String?
    }

    private let state = Mutex(State())

    /// This provider's own file.
    var ignoredFile: String? {
        get { state.withLock { $0.ignoredFile } }
        set { state.withLock { $0.ignoredFile = newValue } }
    }

    /// Notes something down; returns whether a look must be arranged for.
    func add(_ change: (inout Content) -> Void) -> Bool {
        state.withLock { state in
            change(&state.content)
            defer { state.isLookDue = true }
            return !state.isLookDue
        }
    }

    /// Returns whether a delayed read must be arranged for.
    func addDelayedRead() -> Bool {
        state.withLock { state in
            defer { state.isDelayedReadDue = true }
            return !state.isDelayedReadDue
        }
    }

    func delayedReadIsHere() {
        state.withLock { $0.isDelayedReadDue = false }
    }

    /// Empties the inbox.
    func take() -> Content {
        state.withLock { state in
            defer { (state.content, state.isLookDue) = (Content(), false) }
            return state.content
        }
    }
}
#endif
