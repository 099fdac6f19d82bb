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
        /// The log was written to, which is before its bytes count: on a slow disk, long before.
        var mayBeEarly = false
        /// A file of the database was removed or replaced.
        var mustVerify = false
        /// Events were lost; with `isDirectoryGone`, none follow either.
        var mustResync = false
        var isDirectoryGone = false
        /// Files of processes that may have ended.
        var endedProcesses: Set<String> = []

        mutating func formUnion(_ other: Content) {
            mustRead = mustRead || other.mustRead
            mayBeEarly = mayBeEarly || other.mayBeEarly
            mustVerify = mustVerify || other.mustVerify
            mustResync = mustResync || other.mustResync
            isDirectoryGone = isDirectoryGone || other.isDirectoryGone
            endedProcesses.formUnion(other.endedProcesses)
        }
    }

    private struct State {
        var content = Content()
        var isLookDue = false
        /// When the watcher's thread is to arrange for a look at what it put aside.
        var due: ElectionInstant?
        var putAside = Content()
        var ignoredFile: String?
        /// The files of processes in the directory: about as many listeners as there are.
        var processes = 0
        var random = SystemRandomNumberGenerator()
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

    /// Sets how many processes there are, as counted in the directory.
    func processesWereCounted(_ count: Int) {
        state.withLock { $0.processes = count }
    }

    func processCountChanged(by change: Int) {
        state.withLock { $0.processes = max(0, $0.processes + change) }
    }

    /// Puts a change aside that processes need not all look into at once; returns whether this one should do so now.
    ///
    /// - Parameter delay: the shortest time to put it aside for; nil for what a few are to look into at once.
    func putAside(_ now: ElectionInstant, delay: Duration? = nil, _ change: (inout Content) -> Void) -> Bool {
        state.withLock { state in
            let spread =
                delay.map { $0 + HintSpread.delay(afterGrant: state.processes, using: &state.random) }
                ?? HintSpread.delay(afterRelease: state.processes, using: &state.random)
            change(&state.putAside)
            guard spread > .zero else { return true }
            state.due = min(state.due ?? .distantFuture, now + spread)
            return false
        }
    }

    /// How long until what was put aside is due; nil if nothing was.
    func timeUntilDue(_ now: ElectionInstant) -> Duration? {
        state.withLock { state in state.due.map { $0 - now } }
    }

    /// Moves what was put aside to what is to be looked into; returns whether a look must be arranged for.
    func takeUp() -> Bool {
        state.withLock { state in
            state.content.formUnion(state.putAside)
            (state.putAside, state.due) = (Content(), nil)
            defer { state.isLookDue = true }
            return !state.isLookDue
        }
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
