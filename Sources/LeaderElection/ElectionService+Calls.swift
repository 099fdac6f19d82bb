// SPDX-License-Identifier: MIT

/// Calls to the store, and what comes of them.
extension ElectionService {
    /// What a provider gets of the time that a call may take.
    ///
    /// A little less: it knows what it was waiting for, and without its answer there is only to say that none came. Told
    /// by turns, the two would look like one change of cause after another.
    private static func bound(_ timeout: Duration) -> Duration { timeout * 0.95 }

    func acquire(_ operation: ElectionAction.Operation, nonce: Nonce, previous: Nonce?, observed: LeaseVersion?) {
        let request = AcquireRequest(
            group: group,
            candidate: candidate,
            nonce: nonce,
            previousNonce: previous,
            observed: observed,
            leaseDuration: timing.leaseDuration,
            timeout: Self.bound(timing.attemptTimeout)
        )
        record(.acquire, .send, nonce: nonce, at: operation.sent.now)
        let isUrgent = isHinted
        channel.acquisitions.assumeIsolated { lane in
            lane.submit(request, timeout: timing.attemptTimeout, isUrgent: isUrgent) { answer in
                self.assumeIsolated { $0.acquireAnswered(answer, to: operation, nonce: nonce) }
            }
        }
    }

    private func acquireAnswered(_ answer: AcquireAnswer, to operation: ElectionAction.Operation, nonce: Nonce) {
        var granted = timing.leaseDuration
        switch answer {
        case .granted(let term, let lease):
            granted = lease
            let until = operation.sent.now + timing.validity(ofLease: lease)
            record(.acquire, .ok, term: term, nonce: nonce, at: clock.now, until: until)
        case .held, .deferred: record(.acquire, .fail, nonce: nonce, at: clock.now)
        case .unknown: record(.acquire, .unknown, nonce: nonce, at: clock.now)
        }
        handle { machine, moment in
            machine.acquireAnswered(
                answer,
                to: operation,
                nonce: nonce,
                at: moment,
                nextBeat: nextBeat(ofLease: granted, after: moment.now)
            )
        }
    }

    func renew(_ operation: ElectionAction.Operation, nonce: Nonce, term: Int64, timeout: Duration) {
        let request = RenewRequest(
            group: group,
            nonce: nonce,
            term: term,
            leaseDuration: timing.leaseDuration,
            timeout: Self.bound(timeout)
        )
        record(.renew, .send, term: term, nonce: nonce, at: operation.sent.now)
        channel.renewals.assumeIsolated { lane in
            lane.submit(request, timeout: timeout) { answer in
                self.assumeIsolated { $0.renewAnswered(answer, to: operation, nonce: nonce, term: term) }
            }
        }
    }

    private func renewAnswered(
        _ answer: RenewAnswer,
        to operation: ElectionAction.Operation,
        nonce: Nonce,
        term: Int64
    ) {
        var granted = timing.leaseDuration
        switch answer {
        case .renewed(let lease):
            granted = lease
            let until = operation.sent.now + timing.validity(ofLease: lease)
            record(.renew, .ok, term: term, nonce: nonce, at: clock.now, until: until)
        case .lost: record(.renew, .fail, term: term, nonce: nonce, at: clock.now)
        case .unknown: record(.renew, .unknown, term: term, nonce: nonce, at: clock.now)
        }
        handle { machine, moment in
            machine.renewAnswered(
                answer,
                to: operation,
                at: moment,
                nextBeat: nextBeat(ofLease: granted, after: moment.now)
            )
        }
    }

    func release(_ operation: ElectionAction.Operation, nonce: Nonce, term: Int64?) {
        let request = ReleaseRequest(group: group, nonce: nonce, term: term, timeout: timing.attemptTimeout)
        record(.release, .send, term: term, nonce: nonce, at: operation.sent.now)
        // Somebody waits for it.
        channel.releases.assumeIsolated { lane in
            lane.submit(request, timeout: timing.attemptTimeout, isUrgent: true) { answer in
                self.assumeIsolated { $0.releaseAnswered(answer, to: operation, nonce: nonce, term: term) }
            }
        }
    }

    private func releaseAnswered(
        _ answer: ReleaseAnswer,
        to operation: ElectionAction.Operation,
        nonce: Nonce,
        term: Int64?
    ) {
        let phase: ElectionOperation.Phase =
            switch answer {
            case .released: .ok
            case .notHeld: .fail
            case .unknown: .unknown
            }
        record(.release, phase, term: term, nonce: nonce, at: clock.now)
        handle { $0.releaseAnswered(answer, to: operation, at: $1) }
    }

    func transfer(_ operation: ElectionAction.Operation, nonce: Nonce, term: Int64, heir: ElectionAction.Heir) {
        let request = TransferRequest(
            group: group,
            nonce: nonce,
            term: term,
            heir: heir.candidate,
            heirNonce: heir.nonce,
            leaseDuration: timing.leaseDuration,
            timeout: timing.attemptTimeout
        )
        record(.release, .send, term: term, nonce: nonce, at: operation.sent.now)
        guard let transfers = channel.transfers else {
            return transferAnswered(.refused(reason: "the store cannot move leases"), to: operation, request)
        }
        transfers.assumeIsolated { lane in
            lane.submit(request, timeout: timing.attemptTimeout, isUrgent: true) { answer in
                self.assumeIsolated { $0.transferAnswered(answer, to: operation, request) }
            }
        }
    }

    private func transferAnswered(
        _ answer: TransferAnswer,
        to operation: ElectionAction.Operation,
        _ request: TransferRequest
    ) {
        let phase: ElectionOperation.Phase =
            switch answer {
            case .transferred: .ok
            case .notHeld, .refused: .fail
            case .unknown: .unknown
            }
        record(.release, phase, term: request.term, nonce: request.nonce, at: clock.now)
        handle { $0.transferAnswered(answer, to: operation, at: $1) }
    }

    func readHolder(_ operation: ElectionAction.Operation) {
        board.health.saw(.send, at: operation.sent.now)
        channel.readings.assumeIsolated { lane in
            lane.submit(group, timeout: timing.attemptTimeout) { answer in
                self.assumeIsolated { service in
                    if case .unknown = answer {} else { service.board.health.saw(.ok, at: service.clock.now) }
                    service.handle { $0.holderAnswered(answer, to: operation, at: $1) }
                }
            }
        }
    }

    /// A step of a call to the store; made into an operation only if somebody looks.
    private func record(
        _ kind: ElectionOperation.Kind,
        _ phase: ElectionOperation.Phase,
        term: Int64? = nil,
        nonce: Nonce,
        at instant: ElectionInstant,
        until: ElectionInstant? = nil
    ) {
        board.health.saw(phase, at: instant)
        guard audit != nil || !board.witnesses.isEmpty else { return }
        let operation = ElectionOperation(
            group: group,
            kind: kind,
            phase: phase,
            term: term,
            nonce: nonce,
            instant: instant,
            validUntil: until
        )
        audit?(operation)
        board.witnesses.tell(.operation(operation))
    }
}
