// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Synchronization

/// The locks that are tried for on the watcher's own thread, the moment they end.
///
/// With many processes waiting for a group, its release wakes them all, and one can win. Here the others find out with
/// three system calls and go back to sleep; only the winner's engine is told, and its acquisition picks the lock up.
/// A loser is told of the winner's term, or, if none comes, tries again and at last tells its engine to look.
/// A lock that nobody picks up is let go of, which wakes everybody; so does the end of the process.
final class EarlyLocks: Sendable {
    private struct Won {
        let lock: FileLock
        let until: ElectionInstant
    }

    private struct Retry {
        var round: Int
        var due: ElectionInstant
    }

    private struct Wanted {
        var lockPath: String
        /// How long to keep off, if the holder has put the group aside for none of these candidates.
        var waitForHeir: @Sendable ([Nonce]) -> Duration?
        /// What the candidates of this process ask with, by their incarnations.
        var nonces: [Nonce: Nonce] = [:]

        var wait: Duration? { waitForHeir(Array(nonces.values)) }
    }

    private struct State {
        var isOpen = false
        /// The lock files of groups for which this process was refused last.
        var wanted: [ElectionGroup: Wanted] = [:]
        var won: [ElectionGroup: Won] = [:]
        var retries: [ElectionGroup: Retry] = [:]
        var written: [OpenFile] = []
        var writtenDue: ElectionInstant?
        /// When the watcher's thread looks again by itself.
        var nextLook: ElectionInstant?
    }

    /// How long a lock waits for the engine to pick it up.
    private static let patience: Duration = .milliseconds(30)
    /// When to try again after an attempt that failed, and at last to tell the engine.
    private static let pauses: [Duration] = [8, 16, 32, 64].map { .milliseconds($0) }
    /// How long the word of a new term is kept back, since it keeps every processor busy that its holder needs.
    private static let discretion: Duration = .milliseconds(5)

    private let state = Mutex(State())

    // MARK: From the store

    func open() { state.withLock { $0.isOpen = true } }

    /// Lets go of everything; nothing more is won until ``open()``.
    func close() {
        // Bound to a name, so that descriptors are closed after the mutex is unlocked.
        let old = state.withLock { state in
            let old = state
            state = State()
            return old
        }
        release(old)
    }

    /// Lets go of what was won and asks for nothing more, but keeps open.
    func reset() {
        let old = state.withLock { state in
            let old = state
            state = State()
            state.isOpen = old.isOpen
            return old
        }
        release(old)
    }

    private func release(_ old: State) {
        for file in old.written { file.touch() }
        for won in old.won.values { won.lock.release() }
    }

    /// Somebody else has the lock: tries for it when it ends.
    ///
    /// - Parameter waitForHeir: looks, when it has ended, how long to keep off, because the holder has put the group
    ///   aside for somebody who asks with none of these nonces.
    /// - Returns: whether it will; not if nobody wants hints.
    func want(
        _ request: AcquireRequest,
        lockPath: String,
        waitForHeir: @escaping @Sendable ([Nonce]) -> Duration?
    ) -> Bool {
        state.withLock { state in
            guard state.isOpen else { return false }
            var wanted = state.wanted[request.group] ?? Wanted(lockPath: lockPath, waitForHeir: waitForHeir)
            wanted.nonces[request.candidate.incarnation] = request.nonce
            state.wanted[request.group] = wanted
            return true
        }
    }

    func wants(_ group: ElectionGroup) -> Bool { state.withLock { $0.wanted[group] != nil } }

    /// The lock is ours.
    func settle(_ group: ElectionGroup) {
        state.withLock { state in
            state.wanted[group] = nil
            state.retries[group] = nil
        }
    }

    /// The lock that was won for this group, if any.
    func take(_ group: ElectionGroup) -> FileLock? {
        state.withLock { $0.won.removeValue(forKey: group) }?.lock
    }

    /// Tells of a new term a little later, by touching and closing its file.
    ///
    /// - Returns: whether the watcher's thread must be nudged for it.
    func tellLater(_ file: OpenFile) -> Bool {
        let now = ElectionInstant.now
        let (isKept, mustNudge) = state.withLock { state -> (Bool, Bool) in
            guard state.isOpen else { return (false, false) }
            state.written.append(file)
            if let due = state.writtenDue, due > now { return (true, false) }
            if let next = state.nextLook, next > now, next <= now + Self.discretion * 2 {
                state.writtenDue = next
                return (true, false)
            }
            state.writtenDue = now + Self.discretion
            return (true, true)
        }
        if !isKept { file.touch() }
        return mustNudge
    }

    // MARK: On the watcher's thread

    /// A lock has ended.
    ///
    /// - Returns: whether the engine should know.
    func lockEnded(_ group: ElectionGroup) -> Bool { attempt(group, round: 0) }

    /// A new term was written, so that the engine looks in any case.
    func termBegan(_ group: ElectionGroup) { state.withLock { $0.retries[group] = nil } }

    private func attempt(_ group: ElectionGroup, round: Int) -> Bool {
        guard let wanted = state.withLock({ $0.wanted[group] }) else { return true }
        // The heir must find the lock free, and the processors, too: its term is heard of like any other.
        if let wait = wanted.wait { return keepOff(group, for: wait) }
        let lock: FileLock
        do {
            guard case .won(let won, _) = try FileLock.attempt(path: wanted.lockPath) else {
                return state.withLock { state in
                    guard round < Self.pauses.count else {
                        state.retries[group] = nil
                        return true
                    }
                    state.retries[group] = Retry(round: round + 1, due: .now + Self.pauses[round])
                    return false
                }
            }
            lock = won
            if let wait = wanted.wait {
                // Put aside since we looked. Nobody hears of this end: the lock is not armed yet.
                lock.release()
                return keepOff(group, for: wait)
            }
        } catch {
            // The engine meets the same error, and reports it.
            return true
        }
        do {
            // From here on its end is heard of, whatever becomes of this process.
            try lock.arm()
        } catch {
            lock.release()
            return true
        }
        let isKept = state.withLock { state in
            state.retries[group] = nil
            guard state.wanted.removeValue(forKey: group) != nil, state.won[group] == nil else { return false }
            state.won[group] = Won(lock: lock, until: .now + Self.patience)
            return true
        }
        if !isKept { lock.release() }
        return true
    }

    /// Tries again when the heir is waited for no longer.
    private func keepOff(_ group: ElectionGroup, for wait: Duration) -> Bool {
        state.withLock { $0.retries[group] = Retry(round: 0, due: .now + wait) }
        return false
    }

    /// Does what is due.
    ///
    /// - Returns: the groups that engines should look at, and in how many milliseconds to look again; negative: not.
    func look() -> (groups: [ElectionGroup], milliseconds: Int32) {
        let now = ElectionInstant.now
        let (forgotten, retries, written) = state.withLock { state in
            let forgotten = state.won.filter { $0.value.until <= now }
            for group in forgotten.keys { state.won[group] = nil }
            let retries = state.retries.filter { $0.value.due <= now }
            for group in retries.keys { state.retries[group] = nil }
            var written: [OpenFile] = []
            if let due = state.writtenDue, due <= now {
                swap(&written, &state.written)
                state.writtenDue = nil
            }
            return (forgotten, retries, written)
        }
        for file in written { file.touch() }
        for won in forgotten.values { won.lock.release() }
        let groups = retries.filter { attempt($0.key, round: $0.value.round) }.map(\.key)
        let milliseconds = state.withLock { state -> Int32 in
            // While a lock waits, the word of its term is likely to be due soon: one look for both.
            let soon = state.won.isEmpty ? nil : now + Self.discretion
            let next = ([soon, state.writtenDue] + state.retries.values.map(\.due)).compactMap { $0 }.min()
            state.nextLook = next
            guard let next else { return -1 }
            return Int32(clamping: max(0, (next - .now).wholeNanoseconds / 1_000_000) + 1)
        }
        return (groups, milliseconds)
    }
}
