// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Synchronization

/// Turns what happens in the directory into hints, for as long as somebody wants them.
final class HintChannel: Sendable {
    typealias Receiver = @Sendable (ProviderHint) -> Void

    private struct State {
        var receivers: [UInt64: Receiver] = [:]
        var lastID: UInt64 = 0
        var watcher: DirectoryWatcher?
        /// Somebody may have missed something since the watch ended, or since nobody could set one up.
        var hasGap = false
    }

    private let state = Mutex(State())
    let earlyLocks = EarlyLocks()
    private let seats = Seats()

    func subscribe(_ receive: @escaping Receiver) -> Subscription {
        let id = state.withLock { state in
            state.lastID += 1
            if state.receivers.isEmpty { earlyLocks.open() }
            state.receivers[state.lastID] = receive
            return state.lastID
        }
        return Subscription(channel: self, id: id)
    }

    private func unsubscribe(_ id: UInt64) {
        let ended = state.withLock { state -> DirectoryWatcher? in
            state.receivers[id] = nil
            guard state.receivers.isEmpty else { return nil }
            earlyLocks.close()
            defer { state.watcher = nil }
            return state.watcher
        }
        guard let ended else { return }
        seats.leaveAll()
        ended.cancel()
    }

    /// Sets up the watch if it is wanted and missing, or looks at a directory that is not there any more.
    ///
    /// A watch that comes late tells everybody to look again.
    func ensureWatching(_ directory: String, _ identity: FileIdentity) throws(FileError) {
        let (isWanted, isReplaced) = state.withLock { state in
            var isReplaced = false
            if let watcher = state.watcher, !watcher.identity.isSameLinkedFile(as: identity) {
                state.watcher = nil
                state.hasGap = true
                isReplaced = true
            }
            return (state.watcher == nil && !state.receivers.isEmpty, isReplaced)
        }
        if isReplaced { seats.leaveAll() }
        guard isWanted else { return }
        let watcher: DirectoryWatcher
        do {
            watcher = try DirectoryWatcher(
                directory: directory,
                interest: [.closedAfterWriting, .createdOrMovedIn, .deletedOrMovedAway, .touched],
                idle: { [weak self] isEnding in self?.look(isEnding) ?? -1 },
                receive: { [weak self] event in self?.handle(event) }
            )
        } catch {
            state.withLock { $0.hasGap = true }
            throw error
        }
        let hadGap = state.withLock { state in
            // Whoever wanted it may have gone meanwhile: then it ends with this call.
            if !state.receivers.isEmpty { state.watcher = watcher }
            defer { state.hasGap = false }
            return state.hasGap
        }
        if hadGap { send(.resync) }
    }

    /// Nobody could set up a watch yet: whatever happens until then is missed.
    func noteGap() {
        state.withLock { $0.hasGap = true }
    }

    /// Somebody else has the lock of the group: hears, early if it can, when it ends; see ``EarlyLocks``.
    func waitForEnd(
        _ request: AcquireRequest,
        lockPath: String,
        waitForHeir: @escaping @Sendable ([Nonce]) -> Duration?
    ) {
        guard earlyLocks.want(request, lockPath: lockPath, waitForHeir: waitForHeir),
            let watcher = state.withLock({ $0.watcher })
        else { return }
        seats.take(request.group, lockPath: lockPath, watcher)
        // Ended meanwhile: it would not hear.
        if state.withLock({ $0.watcher !== watcher }) { seats.leave(request.group) }
    }

    /// The lock is ours.
    func settle(_ group: ElectionGroup) {
        earlyLocks.settle(group)
        seats.leave(group)
    }

    private func lockEnded(_ group: ElectionGroup) {
        if earlyLocks.lockEnded(group) { send(.changed(group)) }
        if !earlyLocks.wants(group) { seats.leave(group) }
    }

    private func handle(_ event: DirectoryEvent) {
        switch event {
        case .fileModified(let listener):
            // Who gives the lock back writes to it before it is closed.
            if let group = seats.group(listener) { lockEnded(group) }
        case .closedAfterWriting(let name):
            // A lock has ended. State files are closed after writing as well, and do not count.
            if let group = GroupFileName.group(ofFile: name, suffix: GroupFileName.lockSuffix) { lockEnded(group) }
        case .deletedOrMovedAway(let name):
            // The file that a lock was on is gone.
            if let group = GroupFileName.group(ofFile: name, suffix: GroupFileName.lockSuffix) { send(.changed(group)) }
        case .touched(let name) where name.hasSuffix(GroupFileName.notesSuffix):
            // A folder is touched for news only.
            if let group = GroupFileName.group(ofFile: name, suffix: GroupFileName.notesSuffix) { send(.noted(group)) }
        case .createdOrMovedIn(let name), .touched(let name):
            // A new term has been written.
            if let group = GroupFileName.group(ofFile: name, suffix: GroupFileName.stateSuffix) {
                earlyLocks.termBegan(group)
                send(.changed(group))
            }
        case .overflow: send(.resync)
        case .directoryGone:
            earlyLocks.reset()
            seats.leaveAll()
            state.withLock { state in
                state.watcher = nil
                state.hasGap = true
            }
            send(.resync)
        }
    }

    private func look(_ isEnding: Bool) -> Int32 {
        if isEnding {
            earlyLocks.reset()
            return -1
        }
        let (groups, milliseconds) = earlyLocks.look()
        for group in groups { send(.changed(group)) }
        return milliseconds
    }

    /// Tells everybody of the term that was written to this file.
    ///
    /// Not at once if a watch is there to do it later, so that the new holder gets to work before all others look.
    func tellOfTerm(in file: OpenFile) {
        guard let watcher = state.withLock({ $0.watcher }) else { return file.touch() }
        if earlyLocks.tellLater(file) { watcher.nudge() }
    }

    private func send(_ hint: ProviderHint) {
        let receivers = state.withLock { Array($0.receivers.values) }
        for receive in receivers { receive(hint) }
    }

    /// One receiver's share of the channel.
    final class Subscription: HintSubscription {
        private let channel: HintChannel
        private let id: UInt64

        fileprivate init(channel: HintChannel, id: UInt64) { (self.channel, self.id) = (channel, id) }
        deinit { cancel() }
        func cancel() { channel.unsubscribe(id) }
    }
}
