// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import ElectionStores
internal import LeaderElection
internal import Synchronization
internal import Logging

extension SQLiteLeaseStore {
    /// After a commit of ours that granted or freed something: tells other processes, then our own subscribers.
    func announce() {
        processLock.withLock { $0 }?.announceCommit()
        readChanges()
    }

    /// Starts watching the directory, if anybody wants to know and the database is open.
    func watchIfWanted() {
        guard let connection, !subscribers.isEmpty else {
            watcher = nil
            return
        }
        let here = try? FileIdentity(path: connection.directory, followingLink: true)
        if let watcher, here?.isSameLinkedFile(as: watcher.identity) ?? false { return listenToLog() }
        do {
            watcher = try DirectoryWatcher(
                directory: connection.directory,
                interest: [.touched, .closedAfterWriting, .createdOrMovedIn, .deletedOrMovedAway],
                idle: { [weak self] _ in self?.takeUpWhatIsDue() ?? -1 },
                receive: { [weak self, name = connection.name] event in self?.receive(event, database: name) }
            )
            inbox.processesWereCounted(connection.processCount)
            listenToLog()
            // What was committed between opening the database and this.
            readChanges()
        } catch {
            watcher = nil
            settings.logger?.warning(
                "the directory of the database cannot be watched: hand-overs wait for timers",
                metadata: ["path": "\(settings.path)", "error": "\(error)"]
            )
        }
    }

    /// Runs on the watcher's thread.
    private nonisolated func receive(_ event: DirectoryEvent, database: String) {
        switch event {
        case .touched(let file):
            if isForeignProcessFile(file, database) { noteInTurn { $0.mustRead = true } }
        case .closedAfterWriting(let file):
            guard isForeignProcessFile(file, database) else { return }
            noteInTurn {
                $0.mustRead = true
                $0.endedProcesses.insert(file)
            }
        case .createdOrMovedIn(let file):
            if isForeignProcessFile(file, database) { inbox.processCountChanged(by: 1) }
            verify(file, database)
        case .deletedOrMovedAway(let file):
            if isForeignProcessFile(file, database) { inbox.processCountChanged(by: -1) }
            verify(file, database)
        case .directoryGone:
            note {
                $0.mustResync = true
                $0.isDirectoryGone = true
            }
        case .overflow: note { $0.mustResync = true }
        case .fileModified: readLater()
        }
    }

    private nonisolated func verify(_ file: String, _ database: String) {
        guard file == database || file == database + "-wal" || file == database + "-shm" else { return }
        note { $0.mustVerify = true }
    }

    private nonisolated func isForeignProcessFile(_ file: String, _ database: String) -> Bool {
        file.hasPrefix(ProcessLock.prefix(of: database)) && file != inbox.ignoredFile
    }

    private nonisolated func note(_ change: (inout ChangeInbox.Content) -> Void) {
        guard inbox.add(change) else { return }
        thread.execute { [weak self] in self?.assumeIsolated { $0.lookIntoInbox() } }
    }

    /// What every process hears at the same instant: when they are many, only a few look at once.
    private nonisolated func noteInTurn(_ change: (inout ChangeInbox.Content) -> Void) {
        if inbox.putAside(.now, change) { takeUp() }
    }

    /// A write to the log that no process announces: renewals mostly, or a provider that died before it could.
    private nonisolated func readLater() {
        let isDue = inbox.putAside(.now, delay: .milliseconds(25)) { content in
            content.mustRead = true
            content.mayBeEarly = true
        }
        if isDue { takeUp() }
    }

    /// Once more, for a commit that waited for the disk when we looked: nothing tells when that ended.
    private func lookAgain() {
        _ = inbox.putAside(.now, delay: .milliseconds(500)) { $0.mustRead = true }
        watcher?.nudge()
    }

    /// Runs on the watcher's thread before it waits; answers for how many milliseconds it may.
    private nonisolated func takeUpWhatIsDue() -> Int32 {
        guard let time = inbox.timeUntilDue(.now) else { return -1 }
        guard time <= .zero else { return Int32(clamping: time.wholeMilliseconds + 1) }
        takeUp()
        return -1
    }

    private nonisolated func takeUp() {
        guard inbox.takeUp() else { return }
        thread.execute { [weak self] in self?.assumeIsolated { $0.lookIntoInbox() } }
    }

    /// Hears of the next write to the log, and of none after it: a commit writes several times, and what matters of it
    /// is announced.
    private func listenToLog() {
        guard let connection else { return }
        do {
            _ = try watcher?.listen(to: connection.directory + "/" + connection.name + "-wal", once: true)
        } catch {
            warnOnce("the log of the database cannot be watched: only what providers announce is seen", cause: error)
        }
    }

    private func lookIntoInbox() {
        let content = inbox.take()
        if content.isDirectoryGone || subscribers.isEmpty { watcher = nil }
        if content.mustResync {
            subscribers.send(.resync)
        } else if content.mustVerify, let connection, !connection.isIntact {
            // The database that was watched is no longer the one that others open.
            close()
            subscribers.send(.resync)
        }
        // Word of the log's write may be among what was lost. Before anything is read, so that nothing is missed in between.
        if content.mayBeEarly || content.mustResync { listenToLog() }
        if !content.endedProcesses.isEmpty { hintAtLeases(of: content.endedProcesses) }
        if content.mustRead { readChanges() }
        if content.mayBeEarly { lookAgain() }
    }

    private func hintAtLeases(of processes: Set<String>) {
        send { connection in
            var hints: [ProviderHint] = []
            for process in processes {
                try connection.handle.run(.heldByProcess, .text(process)) { row in
                    if let hint = leaseHint(row) { hints.append(hint) }
                }
            }
            return hints
        }
    }

    private func readChanges() {
        send { connection in
            var hints: [ProviderHint] = []
            var (change, news) = (lastChange, lastNews)
            try connection.handle.run(.changedSince, .integer(change)) { row in
                if let hint = leaseHint(row) { hints.append(hint) }
                change = max(change, row.integer(1))
            }
            var noted: Set<ElectionGroup> = []
            if try connection.hasNotes() {
                try connection.handle.run(.newsSince, .integer(news)) { row in
                    if let group = row.text(0).flatMap({ try? ElectionGroup($0) }) { noted.insert(group) }
                    news = row.integer(1)
                }
            }
            // Only now that nothing can fail any more: what is not told must be found again.
            (lastChange, lastNews) = (change, news)
            return hints + noted.map { .noted($0) }
        }
    }

    private func leaseHint(_ row: SQLiteRow) -> ProviderHint? {
        guard let group = row.text(0).flatMap({ try? ElectionGroup($0) }), interest.contains(group) else { return nil }
        return .changed(group)
    }

    private func send(_ read: (SQLiteConnection) throws -> [ProviderHint]) {
        guard !subscribers.isEmpty, let connection else { return }
        do {
            for hint in try read(connection) { subscribers.send(hint) }
        } catch let failure as SQLiteFailure where failure.kind == .busy {
            readLater()
            watcher?.nudge()
        } catch {
            close()
            subscribers.send(.resync)
        }
    }
}
#endif
