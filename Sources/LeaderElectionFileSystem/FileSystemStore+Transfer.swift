// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection

extension FileSystemStore {
    func transfer(_ requests: [TransferRequest]) -> [TransferAnswer] {
        requests.map { request in
            answering(request.group) { () throws(StoreFailure) in
                guard let lease = lease(of: request.group, request.nonce, term: request.term) else { return .notHeld }
                let isIntact = try failing { () throws(FileError) in
                    let isIntact = try lease.lock.isIntact()
                    if isIntact { try reserve(request, under: lease.lock) }
                    return isIntact
                }
                // The heir may not be among those who would hear first.
                free(request.group, lease, isIntact: isIntact, hasHeadStart: false)
                return isIntact ? .transferred(term: nil) : .notHeld
            } failing: {
                // The lock is ours still, and the lease with it.
                .refused(reason: "\($0)")
            }
        }
    }

    /// Only whoever has the lock writes a reservation, so that there is one writer at a time.
    private func reserve(_ request: TransferRequest, under lock: FileLock) throws(FileError) {
        let reservation = Reservation(
            heir: request.heirNonce,
            term: request.term,
            domain: ClockDomain.current ?? "",
            deadline: directory.clock.now + min(request.leaseDuration, Reservation.longest)
        )
        try replaceFile(
            named: directory.heirName(request.group),
            in: directory.path,
            with: reservation.bytes,
            temporaryName: ".new-heir-" + String(lock.identity.inode, radix: 16),
            isDurable: false
        )
    }

    /// How long this request must keep off a group that is put aside for another; nil if it need not.
    func waitForHeir(
        _ request: AcquireRequest,
        afterTerm term: () throws(StoreFailure) -> Int64?
    ) throws(StoreFailure) -> Duration? {
        guard let reservation = directory.reservation(of: request.group), reservation.heir != request.nonce else {
            return nil
        }
        let domain = ClockDomain.current ?? ""
        return reservation.remaining(afterTerm: try term(), at: directory.clock.now, in: domain)
    }
}

extension AcquireAnswer {
    static func reserved(for wait: Duration) -> AcquireAnswer {
        .deferred(retryAfter: wait, reason: "the lease was transferred to another candidate, who is about to take it")
    }
}

extension StoreDirectory {
    /// For whom the group was put aside last; nil if it never was, or if that cannot be told.
    func reservation(of group: ElectionGroup) -> Reservation? {
        (try? readFile(path + "/" + heirName(group), atMost: Reservation.maximumLength)).flatMap {
            Reservation(parsing: $0)
        }
    }

    /// How long whoever asks with these nonces must keep off, unless another term came since.
    func waitForHeir(of group: ElectionGroup, unless nonces: [Nonce]) -> Duration? {
        guard let reservation = reservation(of: group), !nonces.contains(reservation.heir) else { return nil }
        return reservation.remaining(afterTerm: reservation.term, at: clock.now, in: ClockDomain.current ?? "")
    }

    /// Removes what is of no use any more; a reservation of an earlier term is void in any case.
    func forgetReservation(of group: ElectionGroup) {
        _ = try? removeFile(path + "/" + heirName(group))
    }
}
