// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting

/// Drives one state machine by hand: time moves only when a test says so, and every action is kept.
struct MachineHarness {
    var machine: ElectionStateMachine
    var now = ElectionInstant(nanoseconds: 1_000_000_000_000)
    var wall: Int64 = 1_800_000_000_000_000_000
    var actions: [ElectionAction] = []
    let timing: LeaseTiming

    init(
        _ configuration: ElectionConfiguration = ElectionConfiguration(candidate: "me"),
        hintsPrecedeRelease: Bool = false,
        queuesCandidates: Bool = false,
        seed: UInt64 = 1
    ) throws {
        timing = try LeaseTiming(configuration)
        machine = ElectionStateMachine(
            candidate: Candidate(id: configuration.candidate, incarnation: Nonce(high: 1, low: 1)),
            timing: timing,
            isObserver: configuration.participation == .observer,
            hintsPrecedeRelease: hintsPrecedeRelease,
            queuesCandidates: queuesCandidates,
            random: SeededGenerator(seed: seed)
        )
    }

    var moment: Moment { Moment(now: now, wallNanoseconds: wall) }

    mutating func pass(_ duration: Duration) {
        now = now.advanced(by: duration)
        wall += duration.wholeNanoseconds
    }

    /// Lets every timer fire until the given time has passed.
    mutating func run(_ duration: Duration) {
        let end = now.advanced(by: duration)
        while let wakeup = machine.wakeup, wakeup <= end {
            pass(max(.zero, now.duration(to: wakeup)))
            fire()
        }
        pass(now.duration(to: end))
    }

    mutating func fire() {
        actions += machine.timerFired(at: moment, nextBeat: now.advanced(by: timing.renewInterval))
    }

    mutating func start() { actions += machine.start(at: moment) }
    mutating func stop() { actions += machine.stop(at: moment) }
    mutating func hint() { actions += machine.hinted(at: moment) }
    mutating func work(_ change: Int) { actions += machine.workChanged(by: change, at: moment) }
    mutating func resign(_ time: Duration) { actions += machine.resign(standingDownFor: time, at: moment) }

    mutating func answer(_ call: AcquireCall, _ answer: AcquireAnswer) {
        actions += machine.acquireAnswered(
            answer,
            to: call.operation,
            nonce: call.nonce,
            at: moment,
            nextBeat: now.advanced(by: timing.renewInterval)
        )
    }

    mutating func answer(_ operation: ElectionAction.Operation, _ answer: HolderAnswer) {
        actions += machine.holderAnswered(answer, to: operation, at: moment)
    }

    mutating func answer(_ call: RenewCall, _ answer: RenewAnswer) {
        actions += machine.renewAnswered(
            answer,
            to: call.operation,
            at: moment,
            nextBeat: now.advanced(by: timing.renewInterval)
        )
    }

    mutating func answer(_ call: ReleaseCall, _ answer: ReleaseAnswer) {
        actions += machine.releaseAnswered(answer, to: call.operation, at: moment)
    }

    mutating func answer(_ call: TransferCall, _ answer: TransferAnswer) {
        actions += machine.transferAnswered(answer, to: call.operation, at: moment)
    }

    /// Starts, and has the first acquisition granted.
    mutating func lead(term: Int64 = 10) throws -> AcquireCall {
        start()
        let call = try takeAcquire()
        answer(call, .granted(term: term, leaseDuration: timing.leaseDuration))
        return call
    }

    // MARK: What it asked for. Taking removes the action, so that the next look sees only what is new.

    struct AcquireCall {
        let operation: ElectionAction.Operation; let nonce: Nonce; let previous: Nonce?; let observed: LeaseVersion?
    }
    struct RenewCall {
        let operation: ElectionAction.Operation; let nonce: Nonce; let term: Int64; let timeout: Duration
    }
    struct ReleaseCall { let operation: ElectionAction.Operation; let nonce: Nonce; let term: Int64? }
    struct TransferCall { let operation: ElectionAction.Operation; let nonce: Nonce; let heir: ElectionAction.Heir }
    struct Missing: Error { let what: String; let actions: [String] }

    mutating func takeAcquire() throws -> AcquireCall {
        try take("acquire") {
            guard case .acquire(let operation, let nonce, let previous, let observed) = $0 else { return nil }
            return AcquireCall(operation: operation, nonce: nonce, previous: previous, observed: observed)
        }
    }

    mutating func takeRead() throws -> ElectionAction.Operation {
        try take("read") {
            if case .readHolder(let operation) = $0 { operation } else { nil }
        }
    }

    mutating func takeRenew() throws -> RenewCall {
        try take("renew") {
            guard case .renew(let operation, let nonce, let term, let timeout) = $0 else { return nil }
            return RenewCall(operation: operation, nonce: nonce, term: term, timeout: timeout)
        }
    }

    mutating func takeRelease() throws -> ReleaseCall {
        try take("release") {
            guard case .release(let operation, let nonce, let term) = $0 else { return nil }
            return ReleaseCall(operation: operation, nonce: nonce, term: term)
        }
    }

    mutating func takeTransfer() throws -> TransferCall {
        try take("transfer") {
            guard case .transfer(let operation, let nonce, _, let heir) = $0 else { return nil }
            return TransferCall(operation: operation, nonce: nonce, heir: heir)
        }
    }

    private mutating func take<Call>(_ what: String, _ match: (ElectionAction) -> Call?) throws -> Call {
        for (index, action) in actions.enumerated() {
            if let call = match(action) {
                actions.remove(at: index)
                return call
            }
        }
        throw Missing(what: what, actions: actions.map { "\($0)" })
    }

    /// A short name for each action since the last call, in order.
    mutating func drain() -> [String] {
        defer { actions = [] }
        return actions.map(Self.name)
    }

    var announcedErrors: [ElectionError.Code] {
        actions.compactMap {
            if case .announce(.error(let error)) = $0 { error.code } else { nil }
        }
    }

    static func name(_ action: ElectionAction) -> String {
        switch action {
        case .acquire: "acquire"
        case .readHolder: "read"
        case .renew: "renew"
        case .release: "release"
        case .transfer: "transfer"
        case .lead: "lead"
        case .extend: "extend"
        case .relinquish: "relinquish"
        case .cancelWork: "cancel work"
        case .finish: "finish"
        case .announce(let announcement):
            switch announcement {
            case .ready: "ready"
            case .acquired: "acquired"
            case .renewed: "renewed"
            case .renewalFailed: "renewal failed"
            case .jeopardy: "jeopardy"
            case .recovered: "recovered"
            case .lost(_, let reason): "lost \(reason)"
            case .leaderChanged: "changed"
            case .deferred: "deferred"
            case .transferEnded(let error): error.map { "transfer ended \($0.code)" } ?? "transferred"
            case .error(let error): "error \(error.code)"
            }
        }
    }
}

let anError = ElectionError(.storeUnavailable, "the store is away")

func record(
    term: Int64,
    holder: String = "other",
    incarnation: Nonce = Nonce(high: 2, low: 2),
    lease: Duration = .seconds(10),
    sequence: Int64 = 0,
    remaining: Duration? = .seconds(10),
    isObserverTimed: Bool = false
) -> LeaseRecord {
    LeaseRecord(
        term: term,
        holder: Candidate(id: holder, incarnation: incarnation),
        leaseDuration: lease,
        sequence: sequence,
        remaining: remaining,
        isObserverTimed: isObserverTimed
    )
}
