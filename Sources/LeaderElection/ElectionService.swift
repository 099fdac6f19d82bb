// SPDX-License-Identifier: MIT

public import Logging

/// Takes part in the election of one group for as long as it runs.
///
/// ```swift
/// let election = try ElectionService("nightly-billing", provider: .sqlite(path: "/var/lib/app/election.db"))
/// async let service: Void = election.run()
/// try await election.whileLeader { leadership in
///     while !Task.isCancelled { try await billNextBatch(fencedBy: leadership.term) }
/// }
/// ```
///
/// **At most one process leads.** ``isLeader`` and ``leadership`` read the clock at each call and compare it with a
/// deadline that was counted from *before* the last successful request; nothing that blocks, here or in the store, can
/// make the answer late. What no clock can catch, a pause between the check and the act, is what ``Leadership/term``
/// is for.
///
/// A service runs once: ``run()`` takes part until its task is cancelled, ``stop()`` is called, or, with the
/// `ServiceLifecycle` trait, its group shuts down gracefully. It then waits for the work under ``whileLeader(_:)``,
/// gives the lease back, and returns. For another campaign make another service. Services of one process share
/// what they can if they are given the same provider: connection, calls, and rhythm.
public actor ElectionService {
    /// The group whose leadership this service competes for.
    public nonisolated let group: ElectionGroup
    /// This candidate as others see it.
    public nonisolated let candidate: Candidate
    /// What the store promises.
    public nonisolated let guarantees: ProviderGuarantees

    let executor: any ElectionExecutor
    let clock: any ElectionClock
    let timing: LeaseTiming
    let channel: ProviderChannel
    let logger: Logger
    let audit: (@Sendable (ElectionOperation) -> Void)?
    nonisolated let cell: LeadershipCell
    nonisolated let board: ElectionBoard

    var machine: ElectionStateMachine
    private var timer: (deadline: ElectionInstant, timer: any ElectionTimer)?
    private var hasRun = false
    private var running: CheckedContinuation<Void, Never>?
    private var isFinished = false
    /// What is asked because of a hint goes out at once: somebody waits for it.
    var isHinted = false
    private var resigning: [WorkSignal] = []
    /// Nil if the store has no place for candidates, or this one is not to be listed.
    var directory: DirectoryMachine?
    /// What the directory was told last: to ask it is to copy it, and every renewal would.
    var told: (position: DirectoryMachine.Position, isEligible: Bool, health: Double?) = (.away, true, nil)
    var directoryTimer: (deadline: ElectionInstant, timer: any ElectionTimer)?
    var preparations: CallLane<Nonce, Bool>?
    var transferring: [Nonce: CheckedContinuation<Void, any Error>] = [:]
    var reportedNoteError: ElectionError?
    var healthCheck: HealthCheck?
    package nonisolated let hasHealthCheck: Bool
    var fitness: HealthMachine?
    var healthChecks: CallLane<UInt64, Result<HealthCheck.Score, any Error>>?
    var healthTimer: (any ElectionTimer)?
    var isSuspended = false
    var isUnwell = false

    /// All state lives on the engine's own thread, so that no blocked pool can hold up a renewal.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Prepares a candidate; it takes part once ``run()`` is called.
    ///
    /// - Parameters:
    ///   - group: what is to be led; see ``ElectionGroup`` for the names allowed.
    ///   - provider: the store that all candidates of the group share.
    ///   - configuration: how to take part; the defaults suit a store in the same data center.
    ///   - clock: where time comes from; only tests give another one.
    ///   - logger: where the service tells what happens; nothing by default.
    /// - Throws: an ``ElectionError`` that names the value at fault: ``ElectionError/Code/invalidGroup``,
    ///   ``ElectionError/Code/invalidCandidate``, ``ElectionError/Code/invalidConfiguration``.
    public init(
        _ group: String,
        provider: some ElectionProvider,
        configuration: ElectionConfiguration = .standard,
        clock: some ElectionClock = .system,
        logger: Logger = Logger(label: "leader-election") { _ in SwiftLogNoOpLogHandler() }
    ) throws {
        try self.init(
            group,
            provider: provider,
            configuration: configuration,
            clock: clock,
            logger: logger,
            executor: SerialThread.engine,
            random: SystemRandomNumberGenerator(),
            audit: nil
        )
    }

    /// As the public one, for tools that bring their own executor, randomness, or audit trail.
    package init(
        _ group: String,
        provider: any ElectionProvider,
        configuration: ElectionConfiguration,
        clock: any ElectionClock = .system,
        logger: Logger = Logger(label: "leader-election") { _ in SwiftLogNoOpLogHandler() },
        executor: any ElectionExecutor = SerialThread.engine,
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        audit: (@Sendable (ElectionOperation) -> Void)?
    ) throws {
        var random = random
        let group = try ElectionGroup(group)
        try configuration.validateCandidate()
        try configuration.healthCheck?.validate()
        timing = try LeaseTiming(configuration)
        try provider.validate(group, leaseDuration: timing.leaseDuration)
        self.group = group
        candidate = Candidate(
            id: configuration.candidate,
            incarnation: Nonce(using: &random),
            metadata: configuration.metadata
        )
        guarantees = provider.guarantees
        healthCheck = configuration.participation == .candidate ? configuration.healthCheck : nil
        hasHealthCheck = healthCheck != nil
        self.executor = executor
        self.clock = clock
        self.audit = audit
        var logger = logger
        logger[metadataKey: "election-group"] = "\(group)"
        logger[metadataKey: "election-candidate"] = "\(configuration.candidate)"
        self.logger = logger
        channel = .shared(for: provider, executor: executor, clock: clock, random: random)
        cell = LeadershipCell(clock: clock)
        board = ElectionBoard(
            group: group,
            timing: timing,
            isObserver: configuration.participation == .observer,
            executor: executor
        )
        machine = ElectionStateMachine(
            candidate: candidate,
            timing: timing,
            isObserver: configuration.participation == .observer,
            hintsPrecedeRelease: provider.guarantees.hintsPrecedeRelease,
            queuesCandidates: provider.guarantees.queuesCandidates,
            random: random
        )
        guard configuration.isListed, configuration.participation == .candidate, channel.notes != nil else { return }
        directory = DirectoryMachine(
            candidate: candidate,
            priority: configuration.priority,
            lease: timing.leaseDuration,
            canTransfer: channel.transfers != nil,
            random: random
        )
        preparations = configuration.prepare.map { Self.preparations($0, executor: executor, clock: clock) }
    }

    // MARK: Reading: synchronous, from any thread

    /// Whether this process leads at this moment.
    ///
    /// Read from the clock at each call, without waiting for anything; it is false before the store could let anybody
    /// else lead.
    public nonisolated var isLeader: Bool { cell.leads }

    /// The term in which this process leads at this moment; nil if it does not.
    public nonisolated var leadership: Leadership? {
        cell.term.map { Leadership(group: group, candidate: candidate.id, term: $0, cell: cell) }
    }

    /// Who leads the group as far as this process knows; a hint for people and for routing.
    public nonisolated var leader: Leader? { board.state.leader }

    /// The present state, then every change, until the service stops.
    public nonisolated var changes: LeadershipChanges { changes(of: nil) }

    /// The changes of the given kinds only.
    public nonisolated func changes(of kinds: LeadershipChange.Kinds) -> LeadershipChanges {
        changes(of: .some(kinds))
    }

    private nonisolated func changes(of kinds: LeadershipChange.Kinds?) -> LeadershipChanges {
        LeadershipChanges(broadcast: board.changes, state: { [board] in board.state }, kinds: kinds)
    }

    /// Everything that happens from now on, renewals and errors included, until the service stops.
    public nonisolated var events: ElectionEvents { ElectionEvents([board.events]) }

    // MARK: Running

    /// Takes part until stopped; see ``ElectionService`` for how that ends.
    func campaign() async throws {
        guard !hasRun else {
            throw ElectionError(
                .alreadyRun,
                "run() was called twice; make another ElectionService for another campaign",
                group: group.name
            )
        }
        hasRun = true
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                running = continuation
                if isFinished { finishRunning() } else { begin() }
            }
        } onCancel: {
            stop()
        }
    }

    /// Stops the service: cancels the work that it protects, waits for it, gives the lease back; then ``run()`` returns.
    ///
    /// Returns at once. A service that was never run is finished by this as well.
    public nonisolated func stop() {
        executor.execute { self.assumeIsolated { service in service.handle { $0.stop(at: $1) } } }
    }

    /// Gives leadership up and does not compete again before the given time has passed.
    ///
    /// Work under ``whileLeader(_:)`` is cancelled and waited for while the lease is still renewed, so that the next
    /// leader begins after it has ended. Returns when the lease was given back or cannot be any more; at once if the
    /// calling task is cancelled, as it is when called from that work itself.
    ///
    /// - Parameter time: how long to leave leadership to others; by default one lease.
    public func resign(standingDownFor time: Duration? = nil) async {
        handle { $0.resign(standingDownFor: max(.zero, time ?? timing.leaseDuration), at: $1) }
        await leaseGivenBack()
    }

    /// Returns when no lease is held or about to be given back, or the calling task is cancelled.
    func leaseGivenBack() async {
        guard !machine.hasGivenUp else { return }
        let signal = WorkSignal()
        resigning.append(signal)
        await withTaskCancellationHandler {
            await signal.wait()
        } onCancel: {
            signal.fire()
        }
    }

    private func begin() {
        let highestTerm = channel.assumeIsolated { channel in
            channel.listen(to: group, for: ObjectIdentifier(self)) { [weak self] signal in
                self?.assumeIsolated { service in
                    switch signal {
                    case .hint(let hint): service.hinted(hint)
                    case .patrol: service.patrolled()
                    }
                }
            }
            return channel.highestTerm(of: group)
        }
        machine.raiseHighestTerm(to: highestTerm)
        beginHealthChecks()
        handle { $0.start(at: $1) }
    }

    private func finish() {
        isFinished = true
        channel.assumeIsolated { $0.stopListening(to: group, for: ObjectIdentifier(self)) }
        // In turn: who was told of the release, and is to lead next, comes first.
        executor.execute { self.assumeIsolated { $0.finishRunning() } }
    }

    private func finishRunning() {
        leaveDirectory(ElectionError(.stopped, "the service stopped", group: group.name))
        endHealthChecks()
        board.update(role: .stopped, leadership: nil, leader: nil, reason: .stopped)
        emit(.stopped)
        board.finish()
        running?.resume()
        running = nil
    }

    // MARK: The machine's owner

    /// Gives one event to the machine and does what it says.
    func handle(_ event: (inout ElectionStateMachine, Moment) -> [ElectionAction]) {
        let moment = Moment(now: clock.now, wallNanoseconds: clock.wallNanoseconds)
        if let term = inPlace(&machine, { $0.term }), cell.term != term {
            let leadershipEnd: ElectionReason = moment.now < machine.deadline ? .clockJumped : .expired
            perform(machine.claimEnded(leadershipEnd, at: moment))
        }
        perform(event(&machine, moment))
        rearm()
        if !resigning.isEmpty, machine.hasGivenUp {
            for signal in resigning { signal.fire() }
            resigning = []
        }
        moveInDirectory(at: moment)
    }

    private func hinted(_ hint: ProviderHint) {
        board.health.hinted(hint, at: clock.now)
        if case .warning(let error) = hint {
            announce(.error(error))
            return
        }
        if case .noted = hint { return noted() }
        // After a gap in the hints, all groups ask, and better together.
        isHinted = hint.group != nil
        defer { isHinted = false }
        handle { $0.hinted(at: $1) }
    }

    private func timerFired() {
        timer = nil
        handle { machine, moment in
            machine.timerFired(at: moment, nextBeat: nextBeat(ofLease: machine.lease, after: moment.now))
        }
    }

    func nextBeat(ofLease lease: Duration, after now: ElectionInstant) -> ElectionInstant {
        let interval = timing.renewInterval(ofLease: lease)
        return channel.assumeIsolated { $0.nextBeat(interval: interval, after: now) }
    }

    private func rearm() {
        guard let wakeup = inPlace(&machine, { $0.wakeup }) else {
            timer?.timer.cancel()
            timer = nil
            return
        }
        // Also if it would fire too early: a look in vain costs more than setting it anew.
        if timer?.deadline == wakeup { return }
        timer?.timer.cancel()
        // A service that has stopped may still owe the store a release: it stays until that is done.
        let debtor = machine.isStopped ? self : nil
        timer = (
            wakeup,
            clock.schedule(at: wakeup) { [weak self, executor] in
                guard let service = debtor ?? self else { return }
                executor.execute { service.assumeIsolated { $0.timerFired() } }
            }
        )
    }

    private func perform(_ actions: [ElectionAction]) {
        for action in actions {
            switch action {
            case .acquire(let operation, let nonce, let previous, let observed):
                acquire(operation, nonce: nonce, previous: previous, observed: observed)
            case .readHolder(let operation): readHolder(operation)
            case .renew(let operation, let nonce, let term, let timeout):
                renew(operation, nonce: nonce, term: term, timeout: timeout)
            case .release(let operation, let nonce, let term): release(operation, nonce: nonce, term: term)
            case .transfer(let operation, let nonce, let term, let heir):
                transfer(operation, nonce: nonce, term: term, heir: heir)
            case .lead(let term, let deadline, let wallLimit):
                cell.lead(term: term, until: deadline, wallLimit: wallLimit)
                channel.assumeIsolated { $0.saw(term: term, in: group) }
                board.begin(term: term)
            case .extend(let term, let deadline, let wallLimit):
                // Refused when the term ended meanwhile; the next event finds that out and ends it for good.
                _ = cell.extend(term: term, until: deadline, wallLimit: wallLimit)
            case .relinquish: cell.relinquish()
            case .cancelWork(let term): board.endWork(of: term)
            case .announce(let announcement): announce(announcement)
            case .finish: finish()
            }
        }
    }
}
