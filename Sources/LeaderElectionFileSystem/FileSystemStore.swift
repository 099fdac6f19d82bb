// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A lease held in this process; letting go of it frees the group.
struct HeldLease: Sendable {
    var lock: FileLock
    var nonce: Nonce
    var term: Int64
}

/// The file work, on a thread of its own since `fsync` blocks.
actor FileSystemStore {
    private let thread = SerialThread(name: "election-files")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    nonisolated let directory: StoreDirectory
    nonisolated let held = Mutex<[ElectionGroup: HeldLease]>([:])
    /// Locks that were won, but not on the file that the last holder had locked: since when its lease is waited for.
    private var waits: [ElectionGroup: Wait] = [:]
    /// How often in a row a lock was found held without anybody's name in the state.
    private var transits: [ElectionGroup: Int] = [:]
    /// Tells the temporary files of this store's notes from those of others.
    let writer = Nonce()
    /// When notes that have expired are looked for again.
    var nextSweeps: [ElectionGroup: ElectionInstant] = [:]

    private struct Wait {
        var nonce: Nonce
        var since: ElectionInstant
    }

    init(directory: StoreDirectory) {
        self.directory = directory
    }

    nonisolated func heldLock(for group: ElectionGroup) -> FileLock? { held.withLock { $0[group]?.lock } }

    /// Sets up the watch in good time; whatever is asked later finds it in place.
    nonisolated func prepare() {
        thread.execute { [directory] in _ = try? directory.openIfPresent() }
    }

    // MARK: The four verbs

    func acquire(_ requests: [AcquireRequest]) throws(ElectionError) -> [AcquireAnswer] {
        try directory.open()
        return requests.map { request in
            answering(request.group) { () throws(StoreFailure) in
                do throws(StoreFailure) {
                    return try acquire(request)
                } catch {
                    // The default limit of open files is small, and each lease that is led needs two.
                    guard error.isOutOfDescriptors, DescriptorLimit.isRaised else { throw error }
                    return try acquire(request)
                }
            } failing: {
                .unknown($0)
            }
        }
    }

    func renew(_ requests: [RenewRequest]) -> [RenewAnswer] {
        // Gives the watch a chance to come back; what is held is judged group by group.
        _ = try? directory.openIfPresent()
        return requests.map { request in
            answering(request.group) { () throws(StoreFailure) in
                try failing { () throws(FileError) in
                    guard let lease = lease(of: request.group, request.nonce, term: request.term) else {
                        return .lost(currentRecord(of: request.group))
                    }
                    if try lease.lock.isIntact() { return .renewed(leaseDuration: request.leaseDuration) }
                    held.withLock { $0[request.group] = nil }
                    lease.lock.release()
                    return .lost(nil)
                }
            } failing: {
                .unknown($0)
            }
        }
    }

    func release(_ requests: [ReleaseRequest]) -> [ReleaseAnswer] {
        requests.map { request in
            guard let lease = lease(of: request.group, request.nonce, term: request.term) else { return .notHeld }
            let isIntact = (try? lease.lock.isIntact()) ?? false
            // Of many groups that end at once, each may have others waiting: they are all told at once.
            free(request.group, lease, isIntact: isIntact, hasHeadStart: requests.count == 1)
            return isIntact ? .released : .notHeld
        }
    }

    /// Ends a lease of this process.
    ///
    /// - Parameter hasHeadStart: those who sit at the lock file are woken first, and all others a little later.
    func free(_ group: ElectionGroup, _ lease: HeldLease, isIntact: Bool, hasHeadStart: Bool) {
        held.withLock { $0[group] = nil }
        let lock = lease.lock
        // Kept open until the lock is free: closing it wakes the watchers, and they are to wake once.
        let file = isIntact ? markReleased(group, lease) : nil
        guard isIntact, hasHeadStart, lock.hasListeners else {
            return withExtendedLifetime(file) { lock.release() }
        }
        lock.unlock()
        lock.wakeListeners()
        // Should this process end before, the kernel does it.
        _ = thread.schedule(at: .now + HintSpread.headStart) { withExtendedLifetime(file) { lock.release() } }
    }

    func holders(of groups: [ElectionGroup]) throws(ElectionError) -> [HolderAnswer] {
        guard try directory.openIfPresent() else { return groups.map { _ in .free(lastTerm: nil) } }
        return groups.map { group in
            answering(group) { () throws(StoreFailure) in
                let isHeld = try failing { () throws(FileError) in
                    try FileLock.isHeld(path: directory.lockPath(group))
                }
                let record = try readState(group)?.record
                guard isHeld, let record, !record.isReleased else { return .free(lastTerm: record?.term) }
                return .held(record.leaseRecord)
            } failing: {
                .unknown($0)
            }
        }
    }

    /// Makes and removes a file, and takes and frees a lock, as a grant would.
    func check() throws(ElectionError) {
        try directory.open()
        do {
            try checkWritable(directory.path)
            let name = ".check-\(Nonce())"
            try replaceFile(named: name, in: directory.path, with: [0], temporaryName: name + "-new")
            defer { _ = try? removeFile(directory.path + "/" + name) }
            _ = try FileLock.attempt(path: directory.path + "/" + name, writable: directory.isNetwork)
        } catch {
            throw .file(error)
        }
    }

    // MARK: Acquiring

    private func acquire(_ request: AcquireRequest) throws(StoreFailure) -> AcquireAnswer {
        let group = request.group
        if let lease = held.withLock({ $0[group] }), [request.nonce, request.previousNonce].contains(lease.nonce) {
            let isIntact = try failing { () throws(FileError) in try lease.lock.isIntact() }
            if isIntact && lease.nonce == request.nonce {
                return .granted(term: lease.term, leaseDuration: request.leaseDuration)
            }
            // Whatever happens from here on, the old term is over.
            held.withLock { $0[group] = nil }
            if isIntact {
                return try underLock(lease.lock) { () throws(StoreFailure) in
                    try grant(request, under: lease.lock, after: try readState(group))
                }
            }
            lease.lock.release()
        }

        let early = directory.hints.earlyLocks
        if let lock = early.take(group) {
            if (try? lock.isIntact()) == true { return try decide(request, under: lock) }
            lock.release()
        }
        // Before the lock is tried for: who keeps off must not be in the heir's way.
        if let wait = try waitForHeir(
            request,
            afterTerm: { () throws(StoreFailure) in try readState(group)?.record.term }
        ) {
            return .reserved(for: wait)
        }
        let path = directory.lockPath(group)
        let isNetwork = directory.isNetwork
        switch try failing({ () throws(FileError) in try FileLock.attempt(path: path, writable: isNetwork) }) {
        case .probed:
            return .deferred(retryAfter: .milliseconds(2), reason: "somebody is looking at the lock")
        case .held:
            directory.hints.waitForEnd(request, lockPath: path) { [weak directory] in
                directory?.waitForHeir(of: group, unless: $0)
            }
            waits[group] = nil
            if let record = try readState(group)?.record, !record.isReleased {
                transits[group] = nil
                return .held(record.leaseRecord)
            }
            let count = transits[group, default: 0]
            transits[group] = count + 1
            return .deferred(
                retryAfter: .milliseconds(2 << min(count, 7)),
                reason: "another candidate is just taking or giving back the lease"
            )
        case .won(let lock, _): return try decide(request, under: lock)
        }
    }

    /// Grants the lease to whoever has the lock, unless an earlier lock file's holder has to be waited for.
    private func decide(_ request: AcquireRequest, under lock: FileLock) throws(StoreFailure) -> AcquireAnswer {
        transits[request.group] = nil
        return try underLock(lock) { () throws(StoreFailure) in
            let slots = try readState(request.group)
            if let wait = try waitForHeir(request, afterTerm: { slots?.record.term }) {
                lock.release()
                return .reserved(for: wait)
            }
            if let last = slots?.record, let wait = waitForEarlierHolder(last, lock, request) {
                lock.release()
                return .deferred(
                    retryAfter: wait,
                    reason: "the lock file was deleted or replaced while the lease of term \(last.term) stood; "
                        + "its holder may not have noticed yet"
                )
            }
            return try grant(request, under: lock, after: slots)
        }
    }

    /// Frees the lock if `body` fails.
    ///
    /// Explicitly, since closing alone is not enough while another thread is between `fork` and `exec`.
    private func underLock<Value>(
        _ lock: FileLock,
        _ body: () throws(StoreFailure) -> Value
    ) throws(StoreFailure) -> Value {
        do {
            return try body()
        } catch {
            lock.release()
            throw error
        }
    }

    /// How long the holder of an earlier lock file may still believe in its lease; nil if there is no such holder.
    private func waitForEarlierHolder(_ last: StateRecord, _ lock: FileLock, _ request: AcquireRequest) -> Duration? {
        let isOwn = [request.nonce, request.previousNonce].contains(last.nonce)
        guard !last.isReleased, !isOwn, last.lockInode != lock.identity.inode else {
            waits[request.group] = nil
            return nil
        }
        let now = ElectionInstant.now
        let wait =
            waits[request.group].flatMap { $0.nonce == last.nonce ? $0 : nil } ?? Wait(nonce: last.nonce, since: now)
        waits[request.group] = wait
        // It cannot renew any more: its last renewal was before the file was seen replaced.
        let left = (wait.since + last.leaseDuration) - now
        if left > .zero { return left }
        waits[request.group] = nil
        return nil
    }

    /// Writes the new term under the lock, and only then answers.
    private func grant(
        _ request: AcquireRequest,
        under lock: FileLock,
        after last: StateSlots?
    ) throws(StoreFailure) -> AcquireAnswer {
        let milliseconds = SystemClock().wallNanoseconds / 1_000_000
        let record = StateRecord(
            term: max((last?.record.term ?? 0) + 1, milliseconds),
            nonce: request.nonce,
            holder: request.candidate,
            leaseDuration: request.leaseDuration,
            lockInode: lock.identity.inode
        )
        let bytes = record.bytes
        guard bytes.count <= StateRecord.maximumLength else {
            let error = ElectionError(
                .invalidCandidate,
                "the candidate's name and metadata need \(bytes.count) bytes; use at most \(StateRecord.maximumLength)"
            )
            throw .election(error)
        }
        var file: OpenFile?
        try failing { () throws(FileError) in
            // Found out before anything is written: a refusal after that would wake everybody, again and again.
            try checkWritable(lock.path)
            file = try writeState(request.group, bytes, under: lock, after: last)
            try lock.arm()
            guard try lock.isIntact() else { throw FileError("flock", lock.path, code: ESTALE) }
        }
        held.withLock { $0[request.group] = HeldLease(lock: lock, nonce: request.nonce, term: record.term) }
        if last?.record.isReleased == true { directory.forgetReservation(of: request.group) }
        directory.hints.settle(request.group)
        if let file { directory.hints.tellOfTerm(in: file) }
        return .granted(term: record.term, leaseDuration: request.leaseDuration)
    }

    /// Makes a new term proof against a power cut; nil if that took a new file, of which the directory itself tells.
    private func writeState(
        _ group: ElectionGroup,
        _ record: [UInt8],
        under lock: FileLock,
        after last: StateSlots?
    ) throws(FileError) -> OpenFile? {
        if let (bytes, offset) = last?.writing(record),
            let file = try OpenFile(path: directory.statePath(group), writable: true)
        {
            // Who made the file may have been killed before its name was proof against a power cut.
            if last?.isNew == true { try syncDirectory(directory.path) }
            try file.write(bytes, at: offset)
            try file.sync()
            return file
        }
        try replaceFile(
            named: directory.stateName(group),
            in: directory.path,
            with: StateSlots.newFile(with: record),
            // The lock is on this inode, so nobody else writes under this name, and what a killed process leaves is
            // written over by the next.
            temporaryName: ".new-" + String(lock.identity.inode, radix: 16)
        )
        return nil
    }

    // MARK: Parts

    func lease(of group: ElectionGroup, _ nonce: Nonce, term: Int64?) -> HeldLease? {
        guard let lease = held.withLock({ $0[group] }), lease.nonce == nonce, term == nil || lease.term == term else {
            return nil
        }
        return lease
    }

    /// Who leads now, if that can be told; for people only.
    private func currentRecord(of group: ElectionGroup) -> LeaseRecord? {
        guard (try? FileLock.isHeld(path: directory.lockPath(group))) == true,
            let record = (try? readState(group))?.record,
            !record.isReleased
        else { return nil }
        return record.leaseRecord
    }

    private func readState(_ group: ElectionGroup) throws(StoreFailure) -> StateSlots? {
        let path = directory.statePath(group)
        var attempts = 0
        while true {
            attempts += 1
            let bytes = try failing { () throws(FileError) in try readFile(path, atMost: StateSlots.maximumLength) }
            guard let bytes else { return nil }
            do {
                let slots = try StateSlots(parsing: bytes)
                // A damaged slot may be one that is just being written; what a killed writer left stays damaged.
                if !slots.hasDamage || attempts == 3 { return slots }
            } catch {
                if attempts == 3 { throw .election(.corrupted(path, error.description, group: group)) }
            }
        }
    }

    /// Notes in place that the lease was given back: one byte, so that nobody waits for a disk.
    ///
    /// Not needed for safety, which the kernel's lock provides, so failing here does not keep the lease.
    private func markReleased(_ group: ElectionGroup, _ lease: HeldLease) -> OpenFile? {
        guard let slots = try? readState(group), slots.record.nonce == lease.nonce,
            let file = try? OpenFile(path: directory.statePath(group), writable: true)
        else { return nil }
        try? file.write([UInt8(ascii: "1")], at: slots.releasedOffset)
        return file
    }

    func failing<Value>(_ body: () throws(FileError) -> Value) throws(StoreFailure) -> Value {
        do { return try body() } catch { throw .file(error) }
    }

    func answering<Answer>(
        _ group: ElectionGroup,
        _ body: () throws(StoreFailure) -> Answer,
        failing: (ElectionError) -> Answer
    ) -> Answer {
        do { return try body() } catch { return failing(error.error(for: group)) }
    }
}

/// Why one group could not be served.
enum StoreFailure: Error {
    case file(FileError)
    case election(ElectionError)

    var isOutOfDescriptors: Bool {
        if case .file(let error) = self { error.isOutOfDescriptors } else { false }
    }

    func error(for group: ElectionGroup) -> ElectionError {
        switch self {
        case .file(let error): .file(error, group: group)
        case .election(let error): error
        }
    }
}
