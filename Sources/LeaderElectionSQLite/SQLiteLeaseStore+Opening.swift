// SPDX-License-Identifier: MIT
#if SQLite
internal import ElectionFiles
internal import ElectionStores
internal import LeaderElection
internal import Synchronization
internal import Logging

extension SQLiteLeaseStore {
    /// Runs `body`, again and again while another connection is in the way, until the deadline.
    ///
    /// Any other failure closes the connection: the next call starts with a fresh one.
    func attempt<Result>(
        until deadline: ElectionInstant,
        _ body: (SQLiteConnection) throws -> Result
    ) async throws -> Result {
        var longestPause: Int64 = 500_000
        while true {
            do {
                return try body(try open())
            } catch let failure as SQLiteFailure where failure.kind == .busy {
                // Random, so that those who collided do not collide again.
                let retry = ElectionInstant.now + .nanoseconds(Int64.random(in: longestPause / 4...longestPause))
                guard retry < deadline else { throw failure.electionError(settings.path) }
                longestPause = min(2 * longestPause, 16_000_000)
                await withCheckedContinuation { continuation in
                    _ = thread.schedule(at: retry) { continuation.resume() }
                }
            } catch {
                close()
                throw (error as? SQLiteFailure)?.electionError(settings.path) ?? ElectionError.wrapping(error)
            }
        }
    }

    /// The connection, opened anew when there is none or when the path leads to another database.
    func open() throws -> SQLiteConnection {
        if let connection {
            if connection.isIntact { return connection }
            settings.logger?.error("the database was replaced or removed: every lease is lost", metadata: place)
            close()
        }
        mustResync = mustResync || connection != nil
        try checkFileSystem()
        let connection = try SQLiteConnection(
            path: settings.path,
            createIfMissing: settings.createIfMissing,
            clock: settings.clock,
            domain: clockDomain,
            largestLease: largestLease > .zero ? largestLease : .seconds(30)
        )
        lastChange = try connection.lastChange()
        lastNews = try connection.lastNews()
        self.connection = connection
        watchIfWanted()
        if mustResync {
            mustResync = false
            subscribers.send(.resync)
        }
        return connection
    }

    func close() {
        connection = nil
        mustResync = true
    }

    /// This provider's file beside the database, made on first use; nil where one cannot be had.
    ///
    /// It only makes hand-overs faster: without it leases end at their deadlines.
    func prepareProcessLock(_ connection: SQLiteConnection) throws -> ProcessLock? {
        guard !isOnNetwork else { return nil }
        let present = processLock.withLock { $0 }
        if let present, present.isIntact, present.directory == connection.directory { return present }
        try removeEndedProcesses(connection)
        do {
            let made = try ProcessLock(directory: connection.directory, database: connection.name)
            processLock.withLock { $0 = made }
            inbox.ignoredFile = made.name
            return made
        } catch {
            warnOnce(
                "no file beside the database: others will notice the death of this process only by its lease",
                cause: error
            )
            return nil
        }
    }

    private func checkFileSystem() throws {
        let directory = settings.parentDirectory
        guard try FileIdentity(path: directory, followingLink: true) != nil else {
            throw ElectionError(
                .storeUnavailable,
                "the directory \(directory) of the database does not exist; create it, or correct the path"
            )
        }
        switch try FileSystemKind.of(directory) {
        case .local: isOnNetwork = false
        case .overlay:
            isOnNetwork = false
            warnOnce("the database is in a container's own layer: other containers see another one; use a volume")
        case .network(let kind):
            isOnNetwork = true
            guard settings.allowNetworkFileSystem else {
                throw ElectionError(
                    .storeUnsuitable,
                    "\(directory) is on a network file system (\(kind)), where locks can fail silently; put the "
                        + "database on a local disk, or pass allowNetworkFileSystem if one machine alone uses it"
                )
            }
            warnOnce("the database is on a network file system: only processes of one machine may use it")
        }
    }

    /// Frees the leases of processes that are gone, and removes their files.
    private func removeEndedProcesses(_ connection: SQLiteConnection) throws {
        guard settings.detectProcessDeath else { return }
        let ended = connection.endedProcessFiles()
        guard !ended.isEmpty else { return }
        do {
            try write(connection) { _, change in
                for file in ended {
                    try connection.handle.run(.endProcess, .text(file), .integer(change))
                }
            }
            for file in ended { connection.removeProcessFile(file) }
        } catch let failure as SQLiteFailure where failure.kind == .busy {
            // Not worth waiting for: whoever wants one of these leases looks at its file again.
        }
    }

    func warnOnce(_ message: Logger.Message, cause: (any Error)? = nil) {
        guard warnings.insert("\(message)").inserted else { return }
        settings.logger?.warning(message, metadata: cause.map { place.merging(["error": "\($0)"]) { $1 } } ?? place)
    }

    private var place: Logger.Metadata { ["path": "\(settings.path)"] }
}

extension SQLiteLeaseStore.Settings {
    var parentDirectory: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
#endif
