// SPDX-License-Identifier: MIT

/// Who else takes part, and handing leadership over on purpose.
extension ElectionService {
    /// Who waits for leadership at this moment, the preferred and then the longest waiting first.
    ///
    /// - Throws: ``ElectionError/Code/unsupported`` if the store has no place for candidates, else what reading it threw.
    public func candidates() async throws -> [ListedCandidate] {
        guard let notes = channel.notes else { throw Self.withoutDirectory }
        let answer = await withCheckedContinuation { continuation in
            notes.readings.assumeIsolated { lane in
                lane.submit(group, timeout: timing.attemptTimeout) { continuation.resume(returning: $0) }
            }
        }
        switch answer {
        case .found(let found):
            let listed = DirectoryNotes(found).candidates
            guard !listed.isEmpty, let queues = notes.queues else { return listed }
            let queue = await withCheckedContinuation { continuation in
                queues.assumeIsolated { lane in
                    lane.submit(group, timeout: timing.attemptTimeout) { continuation.resume(returning: $0) }
                }
            }
            return queue.placing(listed)
        case .unknown(let error): throw ElectionError.wrapping(error)
        }
    }

    /// Hands leadership to another candidate, and to nobody else.
    ///
    /// The candidate is asked first, and gets ready while this one still leads; see ``ElectionConfiguration/prepare``.
    /// Then work under ``whileLeader(_:)`` is cancelled and waited for while the lease is still renewed, and the lease
    /// moves in one write, with a larger term. Until the work is told to end nothing has changed, whatever fails.
    ///
    /// Returns when the candidate has the lease. If the calling task is cancelled it returns at once, and the transfer
    /// goes on: it is, when called from the work that has to end.
    ///
    /// - Parameter candidate: its name, or the incarnation of ``ListedCandidate/candidate`` where names are not unique.
    /// - Throws: ``ElectionError/Code/notLeading``; ``ElectionError/Code/transferRefused`` if the candidate is not listed,
    ///   is not eligible, or does not answer; ``ElectionError/Code/unsupported`` if the store cannot move leases.
    public func transfer(to candidate: String) async throws {
        guard directory != nil else { throw Self.withoutDirectory }
        guard machine.term != nil, !machine.isEnding, isLeader else {
            let message = "\"\(self.candidate.id)\" does not lead, so it has no leadership to hand over"
            throw ElectionError(.notLeading, message, group: group.name)
        }
        let request = Nonce()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                transferring[request] = continuation
                perform(directory?.requestTransfer(request, to: candidate, at: clock.now) ?? [])
                rearmDirectory()
                if Task.isCancelled { transferEnded(request, CancellationError()) }
            }
        } onCancel: {
            executor.execute { self.assumeIsolated { $0.transferEnded(request, CancellationError()) } }
        }
    }

    /// Prefers this candidate more or less to others from now on; see ``ElectionConfiguration/priority``.
    ///
    /// Returns at once. It means nothing to a candidate that is not listed.
    ///
    /// - Throws: ``ElectionError/Code/invalidConfiguration`` if the number is out of range.
    public nonisolated func changePriority(to priority: Int) throws {
        try ElectionConfiguration.checkPriority(priority)
        executor.execute {
            self.assumeIsolated { service in
                service.perform(service.directory?.changed(priority: priority, at: service.clock.now) ?? [])
                service.rearmDirectory()
            }
        }
    }

    private static let withoutDirectory = ElectionError(
        .unsupported,
        "candidates are not listed: the store has no place for them, or the configuration says so"
    )

    // MARK: The directory's owner

    static func preparations(
        _ prepare: @escaping @Sendable () async throws -> Void,
        executor: any ElectionExecutor,
        clock: any ElectionClock
    ) -> CallLane<Nonce, Bool> {
        // Somebody else's code may block, and must not do so on the engine's thread.
        CallLane(
            executor: executor,
            caller: globalConcurrentExecutor,
            clock: clock,
            maximumBatch: 1,
            unknown: { _ in false }
        ) { offers in
            try await prepare()
            return offers.map { _ in true }
        }
    }

    func moveInDirectory(at moment: Moment) {
        tellWhetherEligible(at: moment.now)
        let position = inPlace(&machine) { machine -> DirectoryMachine.Position in
            if let term = machine.term { return .leading(term: term) }
            return machine.waitingNonce.map { .waiting($0) } ?? .away
        }
        // Nothing is new to a leader that goes on: this is the way of every renewal.
        if case .leading = position, told.position == position { return }
        told.position = position
        perform(directory?.moved(to: position, at: moment) ?? [])
        if machine.leader != nil { directory?.sawLeader(at: moment.now) }
        rearmDirectory()
    }

    /// Tells others how well this candidate is, and so whether it would lead.
    func tellHealth() {
        tellWhetherEligible(at: clock.now)
        rearmDirectory()
    }

    /// Whoever stands down, from now on or no longer, says so without being asked.
    private func tellWhetherEligible(at now: ElectionInstant) {
        let isEligible = inPlace(&machine) { $0.isEligible(at: now) }
        let health = fitness?.score
        guard isEligible != told.isEligible || health != told.health else { return }
        (told.isEligible, told.health) = (isEligible, health)
        perform(directory?.changed(isEligible: isEligible, health: health, at: now) ?? [])
    }

    func noted() {
        perform(directory?.noted(at: clock.now) ?? [])
        rearmDirectory()
    }

    func patrolled() {
        perform(directory?.patrolled(at: clock.now) ?? [])
        rearmDirectory()
    }

    /// The machine has moved the lease, or could not.
    func transferEnded(_ error: ElectionError?) {
        perform(directory?.transferEnded(error) ?? [])
    }

    /// - Parameter error: what those learn who wait for a transfer.
    func leaveDirectory(_ error: ElectionError) {
        perform(directory?.moved(to: .away, at: Moment(now: clock.now, wallNanoseconds: clock.wallNanoseconds)) ?? [])
        for request in transferring.keys {
            transferEnded(request, error)
        }
        directoryTimer?.timer.cancel()
        directoryTimer = nil
        directory = nil
    }

    private func transferEnded(_ request: Nonce, _ error: (any Error)?) {
        guard let waiting = transferring.removeValue(forKey: request) else { return }
        if let error { waiting.resume(throwing: error) } else { waiting.resume() }
    }

    private func rearmDirectory() {
        guard let wakeup = directory?.wakeup else { return }
        // One that fires too early costs a look.
        if let directoryTimer, directoryTimer.deadline <= wakeup { return }
        directoryTimer?.timer.cancel()
        directoryTimer = (
            wakeup,
            clock.schedule(at: wakeup) { [weak self, executor] in
                guard let self else { return }
                executor.execute {
                    self.assumeIsolated { service in
                        service.directoryTimer = nil
                        service.perform(service.directory?.timerFired(at: service.clock.now) ?? [])
                        service.rearmDirectory()
                    }
                }
            }
        )
    }

    private func perform(_ actions: [DirectoryMachine.Action]) {
        for action in actions {
            switch action {
            case .write(let key, let text, let lifetime, let isNews):
                write(key: key, text: text, lifetime: lifetime, isNews: isNews)
            case .remove(let key): remove(key: key)
            case .read: readNotes()
            case .prepare(let offer): prepare(offer)
            case .transfer(let heir):
                if machine.term == nil || machine.isEnding {
                    let error = ElectionError(.transferRefused, "the term ended before the candidate was ready")
                    perform(directory?.transferEnded(error) ?? [])
                } else {
                    handle { $0.transfer(to: heir, at: $1) }
                }
            case .resign(let time): handle { $0.resign(standingDownFor: time, at: $1) }
            case .evict(let time): handle { $0.evict(standingDownFor: time, at: $1) }
            case .transferEnded(let request, let error): transferEnded(request, error)
            }
        }
    }

    private func write(key: String, text: String, lifetime: Duration, isNews: Bool) {
        let request = NoteRequest(
            group: group,
            key: key,
            text: text,
            lifetime: lifetime,
            isNews: isNews,
            timeout: timing.attemptTimeout
        )
        channel.notes?.writes.assumeIsolated { lane in
            lane.submit(request, timeout: timing.attemptTimeout) { answer in
                self.assumeIsolated { service in
                    service.answered(answer)
                    let isDone = if case .done = answer { true } else { false }
                    service.directory?.wrote(request, isDone, at: service.clock.now)
                    service.rearmDirectory()
                }
            }
        }
    }

    private func remove(key: String) {
        let request = NoteRemoval(group: group, key: key, timeout: timing.attemptTimeout)
        channel.notes?.removals.assumeIsolated { lane in
            lane.submit(request, timeout: timing.attemptTimeout) { answer in
                self.assumeIsolated { $0.answered(answer) }
            }
        }
    }

    private func readNotes() {
        channel.notes?.readings.assumeIsolated { lane in
            lane.submit(group, timeout: timing.attemptTimeout) { answer in
                self.assumeIsolated { service in
                    let notes: [GroupNote]?
                    switch answer {
                    case .found(let found): notes = found
                    case .unknown(let error):
                        notes = nil
                        service.report(error)
                    }
                    service.perform(service.directory?.read(notes, at: service.clock.now) ?? [])
                    service.rearmDirectory()
                }
            }
        }
    }

    private func prepare(_ offer: Nonce) {
        guard let preparations else { return prepared(true, for: offer) }
        preparations.assumeIsolated { lane in
            lane.submit(offer, timeout: max(timing.leaseDuration, .seconds(15))) { isReady in
                self.assumeIsolated { $0.prepared(isReady, for: offer) }
            }
        }
    }

    private func prepared(_ isReady: Bool, for offer: Nonce) {
        perform(directory?.prepared(isReady, for: offer, at: clock.now) ?? [])
        rearmDirectory()
    }

    private func answered(_ answer: NoteAnswer) {
        if case .unknown(let error) = answer { report(error) }
    }

    /// A store that is away is reported by the election itself; here, only that it refuses notes, once for each cause.
    private func report(_ error: any Error) {
        let error = ElectionError.wrapping(error)
        // A deployment of the store without them: an election needs none, and nothing is wrong.
        if error.code == .unsupported { return leaveDirectory(error) }
        guard error.code == .storeRefused, error != reportedNoteError else { return }
        reportedNoteError = error
        announce(.error(error))
    }
}
